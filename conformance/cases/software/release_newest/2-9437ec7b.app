release 1.9.0
