"""Runs the queries of deploy/azure over records, without Azure.

The text is parsed by the ANTLR grammar that Microsoft publishes for the Kusto Query Language; so much of its meaning as our queries use is written here after the
language's reference, and whatever else a query may hold is refused. Rows are dictionaries; datetime and timespan are Python's, in UTC; null is None, and of a string it is "".
"""
import datetime, functools, json, math, re

import packages

packages.provide("kusto", packages.KUSTO)
import antlr4
from antlr4.error.ErrorListener import ErrorListener
from kusto_query_language_parser.parse_tools.KqlLexer import KqlLexer
from kusto_query_language_parser.parse_tools.KqlParser import KqlParser

SPANS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


class Problems(ErrorListener):
    def __init__(self):
        self.found = []

    def syntaxError(self, recognizer, symbol, line, column, message, exception):
        self.found.append(f"line {line}, column {column}: {message}")


def parse(text):
    """The tree of a query; a ValueError with what the grammar says against it."""
    problems = Problems()
    lexer = KqlLexer(antlr4.InputStream(text))
    parser = KqlParser(antlr4.CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(problems)
    tree = parser.top()
    if problems.found:
        raise ValueError("; ".join(problems.found))
    return tree.query()


def moment(text):
    if text in (None, ""):
        return None
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.strip().replace("Z", "+00:00"))
    value = datetime.datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)


def kind(node):
    return type(node).__name__.removesuffix("Context")


def name_of(node):
    text = node.getText()
    return text[2:-2] if text.startswith("['") else text


def floor(value, width):
    if value is None or width is None:
        return None
    if isinstance(value, datetime.datetime):
        start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return start + (value - start) // width * width
    return value // width * width


class Rows(list):
    """Rows and the names of their columns, which an empty table has too."""

    def __init__(self, rows, columns=None):
        super().__init__(rows)
        self.columns = list(dict.fromkeys(columns if columns is not None else (name for row in self for name in row)))


def order_key(value):
    """Nulls are first when ascending and last when descending."""
    return (value is not None, value if value is not None else 0)


class Query:
    def __init__(self, text, tables, functions=None, now=None):
        """`tables`: name to rows. `functions`: name to the text of a query without parameters, as saved in a workspace."""
        self.tree, self.tables, self.functions = parse(text), tables, functions or {}
        self.now = now or datetime.datetime.now(datetime.timezone.utc)
        self.lets = {}

    def run(self):
        rows = None
        for statement in self.tree.Statements:
            if statement.Let:
                self.let(statement.Let)
            elif statement.Query:
                rows = self.pipe(statement.Query.expression().pipeExpression())
            else:
                raise NotImplementedError(statement.getText())
        return rows

    def let(self, node):
        variable = node.Variable
        if variable is None:
            raise NotImplementedError(node.getText())
        pipe = variable.Expression.pipeExpression()
        inner = pipe.Expression.unnamedExpression()
        # A tabular value unless it is an expression over literals alone.
        try:
            value = self.evaluate(inner, {}, None) if not pipe.PipedOperators and inner is not None else None
        except LookupError:
            value = None
        self.lets[name_of(variable.Name)] = value if value is not None else self.pipe(pipe)

    # Tables.

    def pipe(self, node):
        rows = self.source(node.Expression)
        for piped in node.PipedOperators:
            rows = self.operator(piped.Operator.getChild(0), rows)
        return rows

    def source(self, node):
        inner = node.getChild(0)
        if kind(inner) == "BeforeOrAfterPipeOperator":
            return self.operator(inner.getChild(0), Rows([]))
        if kind(inner) == "PrintOperator":
            raise NotImplementedError(inner.getText())
        return self.table(inner)

    def table(self, node):
        while node.getChildCount() == 1 and kind(node) not in ("NameReferenceWithDataScope", "SimpleNameReference"):
            node = node.getChild(0)
        if kind(node) == "ParenthesizedExpression":
            return self.pipe(node.Expression.pipeExpression())
        name = name_of(node)
        if isinstance(self.lets.get(name), list):
            return Rows((dict(row) for row in self.lets[name]), self.lets[name].columns)
        if name in self.functions:
            return Query(self.functions[name], self.tables, self.functions, self.now).run()
        if name in self.tables:
            return Rows(dict(row) for row in self.tables[name])
        raise LookupError(f"no table or function {name}")

    def operator(self, node, rows):
        found = getattr(self, f"do_{kind(node).removesuffix('Operator')}", None)
        if found is None:
            raise NotImplementedError(f"{kind(node)}: {node.getText()[:80]}")
        return found(node, rows)

    def do_Where(self, node, rows):
        return Rows((row for place, row in enumerate(rows) if self.evaluate(node.Predicate.Expression, row, (rows, place)) is True), rows.columns)

    def do_Extend(self, node, rows):
        made = ({**row, **{self.label(one, n): self.evaluate(one.Expression, row, (rows, place)) for n, one in enumerate(node.Expressions)}} for place, row in enumerate(rows))
        return Rows(made, rows.columns + [self.label(one, n) for n, one in enumerate(node.Expressions)])

    def do_Project(self, node, rows):
        made = ({self.label(one, n): self.evaluate(one.Expression, row, (rows, place)) for n, one in enumerate(node.Expressions)} for place, row in enumerate(rows))
        return Rows(made, [self.label(one, n) for n, one in enumerate(node.Expressions)])

    def do_Sort(self, node, rows):
        for one in reversed(node.Expressions):
            ascending = one.Ordering.OrderKind is not None and one.Ordering.OrderKind.text.lower() == "asc"
            rows = Rows(sorted(rows, key=lambda row: order_key(self.evaluate(one.Expression.Expression, row, None)), reverse=not ascending), rows.columns)
        return rows

    def do_Top(self, node, rows):
        one = node.ByExpression
        ascending = one.Ordering.OrderKind is not None and one.Ordering.OrderKind.text.lower() == "asc"
        rows = Rows(sorted(rows, key=lambda row: order_key(self.evaluate(one.Expression.Expression, row, None)), reverse=not ascending), rows.columns)
        return Rows(rows[:self.evaluate(node.Expression.Expression, {}, None)], rows.columns)

    def do_Union(self, node, rows):
        parts = [self.table(one) for one in node.Expressions]
        # `T | union U` has T in front; a union that begins a query has nothing there.
        names = list(dict.fromkeys(name for part in [rows, *parts] for name in part.columns))
        return Rows(({name: row.get(name) for name in names} for part in [rows, *parts] for row in part), names)

    def do_Join(self, node, rows):
        flavour = next((p.getText().partition("=")[2] for p in node.Parameters if p.getText().startswith("kind=")), "innerunique")
        right = self.table(node.Table)
        pairs = []
        for one in node.OnClause.Expressions:
            match = re.fullmatch(r"\$left\.(\w+)==\$right\.(\w+)|(\w+)", one.getText())
            pairs.append((match[1] or match[3], match[2] or match[3]))
        names = {name: name if name not in rows.columns else f"{name}1" for name in right.columns}
        index = {}
        for row in right:
            index.setdefault(tuple(row.get(b) for _, b in pairs), []).append(row)
        result = []
        for row in rows:
            found = index.get(tuple(row.get(a) for a, _ in pairs), [])
            if flavour == "leftanti":
                result += [] if found else [row]
            elif flavour in ("leftouter", "inner"):
                for other in found or ([{}] if flavour == "leftouter" else []):
                    result.append({**row, **{ours: other.get(name) for name, ours in names.items()}})
            else:
                raise NotImplementedError(f"join kind={flavour}")
        return Rows(result, rows.columns if flavour == "leftanti" else rows.columns + list(names.values()))

    def do_Summarize(self, node, rows):
        by = node.ByClause.Expressions if node.ByClause else []
        groups = {}
        for place, row in enumerate(rows):
            key = tuple(self.evaluate(one.Expression, row, (rows, place)) for one in by)
            groups.setdefault(key, []).append(row)
        if not by and not rows:
            groups[()] = []
        result = []
        for key, members in groups.items():
            row = dict(zip((self.label(one, n) for n, one in enumerate(by)), key))
            for n, one in enumerate(node.Expressions):
                self.aggregate(one, n, members, row)
            result.append(row)
        every = rows.columns if any("*" in one.getText() for one in node.Expressions) else []
        return Rows(result, [self.label(one, n) for n, one in enumerate([*by, *node.Expressions])] + every)

    def aggregate(self, named, place, rows, into):
        call = self.call_of(named.Expression)
        if call is None:
            # An expression over aggregates: each is worked out on its own.
            into[self.label(named, place)] = self.evaluate(named.Expression, {}, None, group=rows)
            return
        name, arguments = call
        if name in ("arg_min", "arg_max") and arguments[1].starExpression():
            by = [(self.evaluate(arguments[0].namedExpression().Expression, row, None), n) for n, row in enumerate(rows)]
            known = [one for one in by if one[0] is not None] or by
            best = (min if name == "arg_min" else max)(known, key=lambda one: (one[0], -one[1] if name == "arg_max" else one[1]))
            # The column that it goes by has the label, or its own name.
            into[self.label(named, place) if named.Name else arguments[0].getText()] = best[0]
            into.update({column: value for column, value in rows[best[1]].items() if column not in into})
        elif name == "take_any" and arguments[0].starExpression():
            into.update({column: value for column, value in rows[0].items() if column not in into})
        else:
            into[self.label(named, place)] = self.evaluate(named.Expression, {}, None, group=rows)

    def call_of(self, node):
        while node.getChildCount() == 1 and kind(node) not in ("NamedFunctionCallExpression", "CountExpression"):
            node = node.getChild(0)
        if kind(node) == "NamedFunctionCallExpression":
            return name_of(node.Name), node.Arguments
        return ("count", []) if kind(node) == "CountExpression" else None

    def label(self, named, place):
        if named.Name:
            return name_of(named.Name.Name)
        text = named.Expression.getText()
        if re.fullmatch(r"\w+", text):
            return text
        match = re.fullmatch(r"(\w+)\((\w+)?.*\)", text)
        if match and match[1] == "bin":
            return match[2]
        return f"{match[1]}_{match[2] or ''}" if match else f"Column{place + 1}"

    # Values. `place`: (rows, number) where the rows have an order. `group`: the rows that an aggregate is over.

    def evaluate(self, node, row, place, group=None):
        again = functools.partial(self.evaluate, row=row, place=place, group=group)
        name = kind(node)
        if name == "LogicalOrExpression" and node.Operations:
            return any(value is True for value in [again(node.Left), *(again(one.Right) for one in node.Operations)])
        if name == "LogicalAndExpression" and node.Operations:
            return all(again(one) is True for one in [node.Left, *(one.Right for one in node.Operations)])
        if name == "EqualsEqualityExpression":
            left, right = again(node.Left), again(node.Right)
            return (left == right) == (node.OperatorToken.text == "==")
        if name == "ListEqualityExpression":
            values = [again(one) for one in node.Expressions]
            inside = again(node.Left) in (values[0] if len(values) == 1 and isinstance(values[0], list) else values)
            return {"in": inside, "!in": not inside}[node.OperatorToken.text]
        if name == "BetweenEqualityExpression":
            value = again(node.Left)
            return value is not None and again(node.StartExpression) <= value <= again(node.EndExpression)
        if name == "RelationalExpression" and node.OperatorToken is not None:
            left, right = again(node.Left), again(node.Right)
            if left is None or right is None:
                return None
            return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[node.OperatorToken.text]
        if name in ("AdditiveExpression", "MultiplicativeExpression") and node.Operations:
            value = again(node.Left)
            for one in node.Operations:
                value = self.arithmetic(one.OperatorToken.text, value, again(one.Right))
            return value
        if name == "StringBinaryOperatorExpression" and node.Operation is not None:
            left, right, operator = again(node.Left), again(node.Operation.Right), node.Operation.Operator.OperatorToken.text
            if operator == "startswith":
                return left.lower().startswith(right.lower())
            if operator == "has":
                return re.search(rf"(?<![A-Za-z0-9]){re.escape(right)}(?![A-Za-z0-9])", left, re.I) is not None
            raise NotImplementedError(operator)
        if name == "InvocationExpression" and node.OperatorToken is not None:
            return -again(node.Expression) if node.OperatorToken.text == "-" else again(node.Expression)
        if name == "FunctionCallOrPathPathExpression":
            value = again(node.Expression)
            for one in node.Operations:
                part = one.functionCallOrPathPathOperation()
                if part is None:
                    raise NotImplementedError(node.getText())
                value = value.get(name_of(part.Name)) if isinstance(value, dict) else None
            return value
        if name == "CountExpression":
            return len(group)
        if name == "NamedFunctionCallExpression":
            return self.call(name_of(node.Name), node.Arguments, row, place, group)
        if name == "UnsignedLiteralExpression":
            return self.literal(node.getChild(0))
        if name == "NameReferenceWithDataScope":
            column = name_of(node)
            if column in row:
                return row[column]
            if column in self.lets:
                return self.lets[column]
            raise LookupError(f"no column {column}; there are {', '.join(row)}")
        if name == "ParenthesizedExpression":
            return again(node.Expression.pipeExpression().Expression.unnamedExpression())
        if node.getChildCount() == 1:
            return again(node.getChild(0))
        raise NotImplementedError(f"{name}: {node.getText()}")

    @staticmethod
    def arithmetic(operator, left, right):
        if left is None or right is None:
            return None
        if operator == "/":
            if isinstance(left, int) and isinstance(right, int):
                return left // right if right else None
            return left / right if right else None
        return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right, "%": lambda: left % right}[operator]()

    @staticmethod
    def literal(node):
        text = node.getText()
        if kind(node) == "StringLiteralExpression":
            return json.loads(text) if text.startswith('"') else text[1:-1]
        if kind(node) == "BooleanLiteralExpression":
            return text.lower() == "true"
        if kind(node) == "LongLiteralExpression":
            return int(re.sub(r"long\((.*)\)", r"\1", text)) if text != "long(null)" else None
        if kind(node) == "RealLiteralExpression":
            return float(text)
        if kind(node) == "TimeSpanLiteralExpression":
            number, unit = re.fullmatch(r"(\d+(?:\.\d+)?)(d|h|m|s|ms)", text).groups()
            return datetime.timedelta(**{SPANS[unit]: float(number)})
        if kind(node) == "DateTimeLiteralExpression":
            return moment(re.fullmatch(r"datetime\((.*)\)", text)[1])
        raise NotImplementedError(f"{kind(node)}: {text}")

    def call(self, name, arguments, row, place, group):
        parts = [one.namedExpression().Expression for one in arguments if one.namedExpression()]
        if group is not None and name in ("sum", "min", "max", "dcount", "countif", "sumif", "percentile", "make_set", "arg_min", "arg_max", "take_any"):
            return self.fold(name, parts, group)
        if name in ("prev", "next"):
            rows, number = place
            number += -1 if name == "prev" else 1
            return self.evaluate(parts[0], rows[number], None) if 0 <= number < len(rows) else None
        if name == "ingestion_time":
            return row["$ingested"]
        if name in ("iff", "iif"):
            return self.evaluate(parts[1 if self.evaluate(parts[0], row, place, group) is True else 2], row, place, group)
        values = [self.evaluate(part, row, place, group) for part in parts]
        return {
            "now": lambda: self.now, "ago": lambda: self.now - values[0], "bin": lambda: floor(*values),
            "isempty": lambda: values[0] in (None, ""), "isnotempty": lambda: values[0] not in (None, ""), "isnull": lambda: values[0] is None, "isnotnull": lambda: values[0] is not None,
            "tostring": lambda: "" if values[0] is None else json.dumps(values[0], separators=(",", ":")) if isinstance(values[0], (dict, list)) else "true" if values[0] is True else str(values[0]),
            "tolong": lambda: None if values[0] in (None, "") else int(values[0]), "toint": lambda: None if values[0] in (None, "") else int(values[0]),
            "tobool": lambda: values[0] if isinstance(values[0], bool) else None, "todatetime": lambda: moment(values[0]) if isinstance(values[0], str) else values[0],
            "parse_json": lambda: json.loads(values[0]), "coalesce": lambda: next((value for value in values if value not in (None, "")), values[-1]),
            "strcat": lambda: "".join("" if value is None else str(value) for value in values), "not": lambda: values[0] is not True,
            "max_of": lambda: max((value for value in values if value is not None), default=None), "min_of": lambda: min((value for value in values if value is not None), default=None),
            "round": lambda: None if values[0] is None else round(values[0], values[1] if len(values) > 1 else 0),
        }[name]()

    def fold(self, name, parts, rows):
        values = [self.evaluate(parts[0], row, None) for row in rows]
        known = [value for value in values if value is not None]
        if name == "countif":
            return sum(value is True for value in values)
        if name == "sumif":
            return sum(value or 0 for value, row in zip(values, rows) if self.evaluate(parts[1], row, None) is True)
        if name == "sum":
            return sum(known) if known else 0
        if name == "dcount":
            return len(set(known))
        if name == "make_set":
            return list(dict.fromkeys(value for value in known if value != ""))
        if name == "percentile":
            # The nearest rank, as Kusto's reference describes it.
            return sorted(known)[max(0, math.ceil(self.evaluate(parts[1], {}, None) / 100 * len(known)) - 1)] if known else None
        if name in ("arg_min", "arg_max"):
            best = (min if name == "arg_min" else max)((row for row in rows if self.evaluate(parts[0], row, None) is not None), key=lambda row: self.evaluate(parts[0], row, None), default={})
            return self.evaluate(parts[1], best, None) if best else None
        if name == "take_any":
            return known[0] if known else None
        return {"min": min, "max": max}[name](known) if known else None
