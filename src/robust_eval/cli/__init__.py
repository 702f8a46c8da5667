"""The command line: parses, calls the library, shows what came of it."""
