"""The long checks, each a program: `make faults`, `fuzz`, `scale`, `browser` and `package`."""
