"""The docstrings of constants and fields: the string that follows an assignment. Python itself drops them."""

import ast
import inspect
from itertools import pairwise
from types import ModuleType


def attribute_docs(module: ModuleType) -> dict[str, str]:
    """Docstrings by name: `NAME` of a constant, `Class.name` of a field. Those without one are left out."""
    tree = ast.parse(inspect.getsource(module))
    found = _docs_of(tree.body, "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= _docs_of(node.body, f"{node.name}.")
    return found


def _docs_of(body: list[ast.stmt], prefix: str) -> dict[str, str]:
    found = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[prefix + name] = " ".join(text.split())
    return found
