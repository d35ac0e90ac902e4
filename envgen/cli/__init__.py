"""One file for each verb: parse, call ops, render."""
