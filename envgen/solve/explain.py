"""stub"""

from envgen.errors import UnsatisfiableError


async def explain(task, catalogue, core, tree):
    return UnsatisfiableError(tree)
