by pattern
