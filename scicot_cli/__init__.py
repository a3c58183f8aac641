"""The command line of scicot: parse, call the library, print."""
