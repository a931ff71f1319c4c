hello from version 1.0.0
