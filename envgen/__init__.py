"""envgen: reproducible environments for accelerated machine learning.

The public Python interface is `envgen.ops`: one function for each verb of the command line.
"""

__version__ = "0.1.0"
