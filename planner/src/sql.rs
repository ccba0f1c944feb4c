//! Is a model's SQL one statement that only reads?
//!
//! The text is cut into tokens first, and everything that can be said from tokens alone is said there, with its place:
//! a second statement, a statement that writes, nesting and chains so long that a parser would need more stack than
//! there is. Only then is it parsed, with DataFusion's dialect and DataFusion's recursion limit, and the tree searched
//! for what hides inside a query: a CTE that writes, `SELECT INTO`, row locks.
//!
//! Functions with side effects are not told apart here: that is a matter of the grants of the source's account.

use std::ops::{ControlFlow, Range};

use sqlparser::ast::{ObjectName, Query, Select, SetExpr, Statement, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

/// Parentheses, brackets and braces inside one another.
const NESTING_MAX: usize = 200;
/// Operators in one expression without a parenthesis or a comma: a parser turns such a chain into a tree as deep.
const CHAIN_MAX: usize = 2000;
/// Element types inside one another, as in `ARRAY<ARRAY<…>>`: a parser does not count them.
const TYPE_BRACKETS_MAX: usize = 50;
/// DataFusion's own limit: what it would refuse is refused here, with a place.
const RECURSION_MAX: usize = 50;
/// The longest type of a column.
const TYPE_CHARS_MAX: usize = 200;

/// What is wrong with a SQL text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SqlProblem {
    /// Where, in bytes of the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: String,
}

/// A query.
#[derive(Debug)]
pub(crate) struct Read {
    /// The statement without trailing semicolons and comments.
    pub(crate) statement: String,
    /// The tables that it names, and its own; without the names before a dot.
    pub(crate) tables: Vec<String>,
}

/// What `sql` asks, if it is one statement that only reads.
pub(crate) fn check(sql: &str) -> Result<Read, SqlProblem> {
    let lines = Lines::new(sql);
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|error| {
        let at = lines.byte(error.location);
        problem(
            at,
            at,
            format!("the SQL cannot be read: {}", error.message),
            "here",
            "look for a quotation mark or a comment that is not closed",
        )
    })?;
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !is_space(&token.token)).collect();
    foreign(&tokens, &lines)?;
    let statement = one_statement(&tokens, &lines)?;
    reads(statement, &lines)?;
    bounded(statement, &lines)?;
    let (start, end) = (lines.range(&statement[0]).0, lines.range(&statement[statement.len() - 1]).1);
    let parsed = parse(statement, &lines)?;
    let mut search = Search { statement, lines: &lines, tables: Vec::new() };
    if let ControlFlow::Break(problem) = parsed.visit(&mut search) {
        return Err(problem);
    }
    Ok(Read { statement: sql.get(start..end).unwrap_or(sql).to_owned(), tables: search.tables })
}

/// Where a query speaks of `name` (of its last part, where it has several), and whether double quotes are round it.
pub(crate) fn find(sql: &str, name: &str) -> Option<(Range<usize>, bool)> {
    let name = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
    let lines = Lines::new(sql);
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let quote = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case(name) => Some(word.quote_style == Some('"')),
        _ => None,
    };
    let (token, quoted) = tokens.iter().find_map(|token| Some((token, quote(token)?)))?;
    let (start, end) = lines.range(token);
    Some((start..end, quoted))
}

/// Where the first word of a query stands.
pub(crate) fn first(sql: &str) -> Range<usize> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
    let (start, end) = tokens.iter().find(|token| !is_space(&token.token)).map_or((0, 0), |token| Lines::new(sql).range(token));
    start..end
}

/// What other dialects and template languages write, and this one does not.
fn foreign(tokens: &[TokenWithSpan], lines: &Lines<'_>) -> Result<(), SqlProblem> {
    for pair in tokens.windows(2) {
        let [first, second] = pair else { continue };
        let place = || (lines.range(first).0, lines.range(second).1);
        let opens = matches!(&second.token, Token::LBrace | Token::Mod | Token::Sharp);
        if first.token == Token::LBrace && opens && first.span.end == second.span.start {
            let help = "write the table's name instead; or point `query` at the SQL that dbt has compiled, target/compiled/…/model.sql";
            return Err(problem(place().0, place().1, "Jinja in a query is not rendered", "Jinja begins here", help));
        }
        if keyword(first) == Some(Keyword::TOP) && matches!(&second.token, Token::Number(..)) {
            let help = format!("write `LIMIT {}` at the end of the query", second.token);
            return Err(problem(place().0, place().1, "this dialect has no TOP", "not here", &help));
        }
    }
    Ok(())
}

/// Is this the name of a SQL type? If not, what is wrong with it.
pub(crate) fn check_type(text: &str) -> Result<(), String> {
    const HELP: &str = "write json or a SQL type such as VARCHAR, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP or DECIMAL(12, 2)";
    let nested = text.matches(['<', '(', '[']).count();
    if text.chars().count() > TYPE_CHARS_MAX || nested > TYPE_BRACKETS_MAX {
        return Err(HELP.to_owned());
    }
    let parsed = Parser::new(&GenericDialect {}).with_recursion_limit(RECURSION_MAX).try_with_sql(text).and_then(|mut parser| {
        let parsed = parser.parse_data_type()?;
        parser.expect_token(&Token::EOF)?;
        Ok(parsed)
    });
    match parsed {
        // Any word that is no type is a type of one's own to the parser.
        Ok(sqlparser::ast::DataType::Custom(..)) | Err(_) => Err(HELP.to_owned()),
        Ok(_) => Ok(()),
    }
}

fn problem(start: usize, end: usize, message: impl Into<String>, label: &str, help: &str) -> SqlProblem {
    SqlProblem { start, end, message: message.into(), label: label.to_owned(), help: help.to_owned() }
}

fn is_space(token: &Token) -> bool {
    matches!(
        token,
        Token::EOF
            | Token::Whitespace(
                Whitespace::Space
                    | Whitespace::Newline
                    | Whitespace::Tab
                    | Whitespace::SingleLineComment { .. }
                    | Whitespace::MultiLineComment(_)
            )
    )
}

/// The tokens of the only statement.
fn one_statement<'a>(tokens: &'a [TokenWithSpan], lines: &Lines<'_>) -> Result<&'a [TokenWithSpan], SqlProblem> {
    let end = tokens.iter().position(|token| token.token == Token::SemiColon).unwrap_or(tokens.len());
    let (statement, rest) = tokens.split_at(end);
    if statement.is_empty() {
        return Err(problem(0, 0, "the query is empty", "no statement here", "write one SELECT statement"));
    }
    match rest.iter().find(|token| token.token != Token::SemiColon) {
        None => Ok(statement),
        Some(second) => {
            let (start, end) = lines.range(second);
            let help = "a model is one statement: make a second model of it, or combine both in one SELECT";
            Err(problem(start, end, "the query holds a second statement", "a second statement starts here", help))
        }
    }
}

const READ_HELP: &str = "a model only reads: write one SELECT (WITH, VALUES and UNION are fine)";

/// Does it start as a statement that reads does?
fn reads(statement: &[TokenWithSpan], lines: &Lines<'_>) -> Result<(), SqlProblem> {
    let Some(first) = statement.iter().find(|token| token.token != Token::LParen) else { return Ok(()) };
    if matches!(keyword(first), Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE)) {
        return Ok(());
    }
    let (start, end) = lines.range(first);
    let word = first.token.to_string();
    let (message, label) = match keyword(first) {
        Some(Keyword::EXPLAIN | Keyword::DESCRIBE | Keyword::SHOW) => (format!("`{word}` returns no records of a table"), "not a query"),
        Some(Keyword::NoKeyword) | None => (format!("`{word}` does not begin a query"), "not a query"),
        Some(_) => (format!("`{word}` is not a query: it can change the source"), "does not only read"),
    };
    Err(problem(start, end, message, label, READ_HELP))
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    if let Token::Word(word) = &token.token { (word.quote_style.is_none()).then_some(word.keyword) } else { None }
}

/// What is counted at one level of parentheses.
#[derive(Default)]
struct Level {
    operators: usize,
    unions: usize,
}

/// Refuses what would need too deep a tree.
fn bounded(statement: &[TokenWithSpan], lines: &Lines<'_>) -> Result<(), SqlProblem> {
    let mut levels = vec![Level::default()];
    let mut types = 0;
    let mut before: Option<Keyword> = None;
    for token in statement {
        let refuse = |what: &str| {
            let (start, end) = lines.range(token);
            Err(problem(
                start,
                end,
                format!("the query {what}"),
                "the bound is passed here",
                "make it simpler: a CTE or a join instead of nesting, IN instead of many ORs",
            ))
        };
        let word = keyword(token);
        match (&token.token, word) {
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Some(Keyword::CASE)) => levels.push(Level::default()),
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Some(Keyword::END)) if levels.len() > 1 => drop(levels.pop()),
            _ => {}
        }
        if levels.len() > NESTING_MAX {
            return refuse(&format!("nests more than {NESTING_MAX} parentheses"));
        }
        if token.token == Token::Lt && matches!(before, Some(Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP | Keyword::NESTED)) {
            types += 1;
        }
        // `a IS DISTINCT FROM b` goes on; any other FROM begins a clause.
        let new_clause = word == Some(Keyword::FROM) && before != Some(Keyword::DISTINCT);
        before = word;
        let Some(level) = levels.last_mut() else { return Ok(()) };
        match (&token.token, word) {
            (_, Some(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS)) => {
                (level.unions, level.operators) = (level.unions + 1, 0);
            }
            (Token::Comma, _) | (_, Some(Keyword::SELECT | Keyword::WHERE | Keyword::JOIN | Keyword::WHEN | Keyword::THEN)) => {
                level.operators = 0;
            }
            _ if new_clause => level.operators = 0,
            // Names and constants; a quoted word is no keyword.
            (Token::Number(..) | Token::SingleQuotedString(_) | Token::Period, _)
            | (_, Some(Keyword::NoKeyword))
            | (Token::Word(_), None) => {}
            _ => level.operators += 1,
        }
        if level.operators > CHAIN_MAX || level.unions > CHAIN_MAX / 4 {
            return refuse("chains too many operators in one expression");
        }
        if types > TYPE_BRACKETS_MAX {
            return refuse("nests too many types");
        }
    }
    Ok(())
}

fn parse(statement: &[TokenWithSpan], lines: &Lines<'_>) -> Result<Statement, SqlProblem> {
    let whole = (lines.range(&statement[0]).0, lines.range(&statement[statement.len() - 1]).1);
    let mut parser = Parser::new(&GenericDialect {}).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(statement.to_vec());
    let parsed = parser.parse_statement().and_then(|parsed| parser.expect_token(&Token::EOF).map(|_| parsed));
    parsed.map_err(|error| match error {
        ParserError::RecursionLimitExceeded => {
            let help = "make it simpler: a CTE or a join instead of nesting";
            problem(whole.0, whole.0, "the query nests too deep", "in this query", help)
        }
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            let (message, location) = located(&text);
            let at = location.map_or(whole.1, |location| lines.byte(location));
            let token = statement.iter().find(|token| lines.range(token).0 == at);
            let end = token.map_or(at, |token| lines.range(token).1);
            problem(
                at,
                end,
                format!("the SQL cannot be read: {}", worded(message)),
                "here",
                "the dialect is DataFusion's: close to PostgreSQL's",
            )
        }
    })
}

/// The parser's message in our manner.
fn worded(text: &str) -> String {
    let text = text.replace("Expected: ", "expected ").replace(", found: ", ", found ").replace("EOF", "the end of the query");
    text.replace("end of statement", "the end of the query")
}

/// The parser writes the place at the end of its message.
fn located(text: &str) -> (&str, Option<Location>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let location = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }));
    (message, location)
}

/// Looks for what does not only read inside a query.
struct Search<'a> {
    statement: &'a [TokenWithSpan],
    lines: &'a Lines<'a>,
    tables: Vec<String>,
}

impl Search<'_> {
    /// A problem at the first token of one of these keywords; they stand in the statement, for the tree says so.
    fn found(&self, keywords: &[Keyword], message: &str, help: &str) -> ControlFlow<SqlProblem> {
        let token = self.statement.iter().find(|token| keyword(token).is_some_and(|word| keywords.contains(&word)));
        let (start, end) = self.lines.range(token.unwrap_or(&self.statement[0]));
        ControlFlow::Break(problem(start, end, message, "does not only read", help))
    }

    fn body(&self, body: &SetExpr) -> ControlFlow<SqlProblem> {
        // Left operands are followed in a loop, for a chain of unions is as deep as it is long.
        let mut body = body;
        loop {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    self.body(right)?;
                    body = left;
                }
                SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                    let writing = [Keyword::INSERT, Keyword::UPDATE, Keyword::DELETE, Keyword::MERGE];
                    return self.found(&writing, "the query changes data", READ_HELP);
                }
                SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => return ControlFlow::Continue(()),
            }
        }
    }
}

impl Visitor for Search<'_> {
    type Break = SqlProblem;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlProblem> {
        if !query.locks.is_empty() {
            return self.found(&[Keyword::FOR], "the query locks what it reads", "leave out FOR UPDATE and FOR SHARE");
        }
        self.body(&query.body)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<SqlProblem> {
        self.tables.extend(relation.0.last().map(|name| name.to_string().trim_matches('"').to_owned()));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<SqlProblem> {
        match select.into {
            Some(_) => self.found(&[Keyword::INTO], "SELECT INTO makes a table", "leave out INTO: Outflow keeps the records itself"),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<SqlProblem> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ => self.found(&[], "this statement does not only read", READ_HELP),
        }
    }
}

/// Turns the tokenizer's lines and columns into bytes.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn byte(&self, location: Location) -> usize {
        let Some(line) = (location.line as usize).checked_sub(1) else { return 0 };
        let Some(start) = self.starts.get(line).copied() else { return self.text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let column = (location.column as usize).saturating_sub(1);
        let line = &self.text[start..end];
        line.char_indices().nth(column).map_or(end, |(at, _)| start + at)
    }

    fn range(&self, token: &TokenWithSpan) -> (usize, usize) {
        let start = self.byte(token.span.start);
        (start, self.byte(token.span.end).max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str) -> (String, String) {
        let problem = check(sql).expect_err(sql);
        (problem.message, sql.get(problem.start..problem.end).unwrap_or("?").to_owned())
    }

    #[test]
    fn every_form_of_reading_is_fine_and_comes_back_without_its_semicolon() {
        for sql in [
            "SELECT 1",
            "select a.b, count(*) from t a join u using (x) where y > 3 group by 1 having count(*) > 1 order by 1 limit 3",
            "WITH c AS (SELECT 1) SELECT * FROM c",
            "WITH RECURSIVE c AS (SELECT 1 n UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "VALUES (1, 'a'), (2, 'b')",
            "SELECT 'DELETE FROM t; DROP TABLE t' AS \"insert\" -- ; DELETE",
            "SELECT \"update\", delete FROM t",
        ] {
            assert!(check(sql).is_ok(), "{sql}: {:?}", check(sql));
        }
        assert_eq!(check(" -- first\nSELECT 1 ; ; -- done\n/* x */ ;\n").unwrap().statement, "SELECT 1");
        assert_eq!(check("SELECT 'ø;' AS \"é\"\r\n;\r\n").unwrap().statement, "SELECT 'ø;' AS \"é\"");
    }

    #[test]
    fn a_second_statement_is_refused_at_its_place() {
        let expected = ("the query holds a second statement".to_owned(), "DROP".to_owned());
        assert_eq!(refused("SELECT 1;\n DROP TABLE t"), expected);
        assert_eq!(refused("SELECT 1;;SELECT 2").1, "SELECT");
    }

    #[test]
    fn everything_that_does_not_read_is_refused() {
        for sql in [
            "DELETE FROM t",
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE",
            "CREATE TABLE t (a INT)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x'",
            "DROP TABLE t",
            "ALTER TABLE t ADD a INT",
            "TRUNCATE t",
            "COPY t TO 'x'",
            "COPY (SELECT 1) TO 'x'",
            "SET a = 1",
            "CALL f()",
            "EXPLAIN SELECT 1",
            "SHOW TABLES",
            "DESCRIBE t",
            "EXECUTE p",
            "PREPARE p AS SELECT 1",
            "BEGIN",
            "COMMIT",
            "GRANT SELECT ON t TO u",
            "VACUUM t",
            "USE x",
            "DO 'x'",
            "LOCK TABLE t",
            "ATTACH 'x' AS y",
            "PRAGMA x",
            "hello",
            "",
            ";",
            "-- nothing",
            "42",
        ] {
            assert!(check(sql).is_err(), "{sql}");
        }
        assert_eq!(refused("  delete from t"), ("`delete` is not a query: it can change the source".to_owned(), "delete".to_owned()));
    }

    #[test]
    fn writing_hidden_in_a_query_is_refused() {
        assert_eq!(refused("SELECT 1 INTO t").1, "INTO");
        assert_eq!(refused("SELECT * FROM (SELECT 1 INTO x) y").1, "INTO");
        assert_eq!(refused("SELECT * FROM t FOR UPDATE").1, "FOR");
        assert_eq!(refused("SELECT * FROM t WHERE a IN (SELECT b FROM u FOR SHARE)").1, "FOR");
        assert_eq!(refused("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d").1, "DELETE");
        assert_eq!(refused("WITH d AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM d").1, "INSERT");
        assert_eq!(refused("WITH d AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM d").1, "UPDATE");
        assert_eq!(refused("WITH d AS (SELECT 1) DELETE FROM t").1, "DELETE");
        assert_eq!(refused("WITH d AS (SELECT 1) INSERT INTO t SELECT * FROM d").1, "INSERT");
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let problem = check("SELECT ä,\n  b FRM t WHERE").unwrap_err();
        assert_eq!(problem.message, "the SQL cannot be read: expected the end of the query, found t");
        assert_eq!(&"SELECT ä,\n  b FRM t WHERE"[problem.start..problem.end], "t");
        assert!(check("SELECT 'open").unwrap_err().message.starts_with("the SQL cannot be read: Unterminated"));
    }

    #[test]
    fn what_other_dialects_write_is_answered_with_what_this_one_does() {
        let help = |sql: &str| check(sql).unwrap_err().help;
        assert!(help("SELECT TOP 10 * FROM t").contains("`LIMIT 10` at the end"));
        assert_eq!(refused("SELECT * FROM {{ ref('orders') }}").0, "Jinja in a query is not rendered");
        assert_eq!(refused("{% set a = 1 %} SELECT 1").1, "{%");
        assert!(check("SELECT '{{ x }}' AS a FROM t").is_ok());
    }

    #[test]
    fn the_tables_of_a_query_and_the_places_of_its_names_are_known() {
        let sql = "-- nmae\nSELECT t.nmae, \"x\" FROM a.people t JOIN \"Orders\" USING (id)";
        assert_eq!(check(sql).unwrap().tables, ["people", "Orders"]);
        assert_eq!(find(sql, "t.nmae"), Some((17..21, false)));
        assert_eq!(find(sql, "x"), Some((23..26, true)));
        assert_eq!((find(sql, "y"), first(sql)), (None, 8..14));
    }

    #[test]
    fn hostile_nesting_is_refused_and_never_overflows_the_stack() {
        let nested = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
        let hostile = [
            nested("(", ")", 60_000),
            nested("(SELECT ", ")", 10_000),
            nested("NOT ", "", 60_000),
            nested("-", "", 60_000),
            nested("- ", "", 60_000),
            nested("CASE WHEN ", " THEN 1 END", 5_000),
            nested("ARRAY[", "]", 20_000),
            format!("SELECT 1{}", "+1".repeat(60_000)),
            format!("SELECT 1{}", " OR a".repeat(20_000)),
            format!("SELECT 1{}", "::INT".repeat(20_000)),
            format!("SELECT 1{}", " IS NULL".repeat(20_000)),
            format!("SELECT 1{}", "+CASE WHEN 1 THEN 1 END".repeat(5_000)),
            format!("SELECT 1{}", " IS DISTINCT FROM 1".repeat(6_000)),
            format!("SELECT 1::INT{}", "[]".repeat(20_000)),
            format!("SELECT a{}", "[1]".repeat(20_000)),
            format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(6_000)),
            format!("SELECT CAST(1 AS {}INT{})", "ARRAY<".repeat(10_000), ">".repeat(10_000)),
            format!("SELECT CAST(1 AS {}INT{})", "STRUCT<a ARRAY<".repeat(5_000), ">>".repeat(5_000)),
            format!("SELECT * FROM {}t", "a JOIN (".repeat(10_000)),
            format!("WITH {}", "a AS (WITH ".repeat(10_000)),
        ];
        for sql in hostile {
            let shown = sql[..40.min(sql.len())].to_owned();
            assert!(check(&sql).is_err(), "{shown}");
        }
    }

    #[test]
    fn the_longest_chains_allowed_are_parsed_within_a_small_stack() {
        let chain = |part: &str, n: usize| check(&format!("SELECT 1{}", part.repeat(n))).unwrap();
        let small = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
            chain("+1", CHAIN_MAX - 1);
            chain(" IS NULL", CHAIN_MAX / 2 - 1);
            chain("::INT", CHAIN_MAX / 2 - 1);
            chain(" UNION ALL SELECT 1", CHAIN_MAX / 4);
        });
        small.unwrap().join().unwrap();
    }

    #[test]
    fn long_lists_and_many_columns_are_no_chains() {
        let list = (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        assert!(check(&format!("SELECT * FROM t WHERE a IN ({list})")).is_ok());
        let columns = (0..512).map(|n| format!("coalesce(a{n}, 0) + 1 - 2 * 3 AS c{n}")).collect::<Vec<_>>().join(", ");
        assert!(check(&format!("SELECT {columns} FROM t")).is_ok());
    }

    #[test]
    fn a_column_type_is_json_or_one_that_sql_has() {
        for good in ["VARCHAR", "text", "BIGINT", "DECIMAL(12, 2)", "TIMESTAMP", "timestamp with time zone", "DOUBLE", "INT[]"] {
            assert_eq!(check_type(good), Ok(()), "{good}");
        }
        for bad in ["strng", "INT; DROP TABLE t", "", "INT INT", "1", &"ARRAY<".repeat(1000)] {
            assert!(check_type(bad).is_err(), "{bad}");
        }
    }
}
