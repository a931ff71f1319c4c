release 1.10.0
