"""The parts of the report: what it holds, its statistics, pictures, pages and folder."""
