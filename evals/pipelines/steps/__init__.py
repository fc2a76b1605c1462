"""One file for each family of steps; `registry` knows them all."""
