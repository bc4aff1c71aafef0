"""Files and transfers, shared by the sub-packages; private."""
