"""One function for each verb: the public Python interface."""
