"""The command line of scicot: parses arguments, calls the library, and prints results."""
