"""Tables in and out: forms of files, and what columns say of names, numbers and positions."""
