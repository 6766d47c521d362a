"""What tables of text are made of: headers, columns of numbers and words, rows of drillholes."""
