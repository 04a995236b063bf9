"""Reads the source: what runs first, what is the last expression, and whether `main` is for the harness to call."""

import ast
import linecache
from dataclasses import dataclass
from types import CodeType

SOURCE_NAME = "<code>"
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True)
class Program:
    """Compiled source: `body`, then `last` (an expression whose value counts), then `main` if it is for us to call."""

    body: CodeType
    last: CodeType | None
    calls_main: bool


def compile_source(source: str) -> Program:
    """Compile, and put the lines where tracebacks find them. Raises what `compile` raises."""
    lines = source.splitlines(keepends=True)
    linecache.cache[SOURCE_NAME] = (len(source), None, lines, SOURCE_NAME)
    tree = ast.parse(source, SOURCE_NAME)
    calls_main = _is_main_for_us(tree)
    last = None
    if not calls_main and tree.body and isinstance(tree.body[-1], ast.Expr):
        expression = tree.body.pop()
        last = compile(ast.Expression(expression.value), SOURCE_NAME, "eval", _FLAGS, dont_inherit=True)  # type: ignore[attr-defined]
    body = compile(tree, SOURCE_NAME, "exec", _FLAGS, dont_inherit=True)
    return Program(body, last, calls_main)


def _is_main_for_us(tree: ast.Module) -> bool:
    """`def main(variables)` is a contract with us; a `main` without parameters that the script calls itself is not."""
    definitions = [node for node in tree.body if _defines_main(node)]
    if not definitions:
        return False
    return _takes_an_argument(definitions[-1]) or not any(_uses_main(node) for node in tree.body)


def _defines_main(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == "main"
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "main" for t in node.targets)


def _takes_an_argument(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return bool(node.args.posonlyargs or node.args.args or node.args.vararg)
    return isinstance(node, ast.Assign)


def _uses_main(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(isinstance(n, ast.Name) and n.id == "main" and isinstance(n.ctx, ast.Load) for n in ast.walk(node))
