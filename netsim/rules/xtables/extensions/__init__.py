"""Matches and targets, a file for each topic; ``registry`` lists them all."""
