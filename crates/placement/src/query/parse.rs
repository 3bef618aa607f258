//! From the text of an expression to its compiled form.

use regex::{Regex, RegexBuilder};

use super::EXPRESSION_LENGTH_MAX;
use super::eval::{AttributeTest, Comparison, GroupTest, Node, TextTest};
use super::lex::{Cursor, Unclosed};
use super::value::{Instant, Version};

/// How deep parentheses may nest; a person's expression has three or four.
const NESTING_MAX: usize = 32;
/// How large a compiled pattern may be. `t2.*` takes some hundred bytes; nested repetitions such
/// as `(a{100}){100}` would take megabytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// How much a pattern may cache while it runs.
const PATTERN_CACHE_BYTES_MAX: usize = 512 * 1024;
/// How deep a pattern itself may nest.
const PATTERN_NESTING_MAX: u32 = 50;

/// Why a text is no expression of the cluster query language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpression {
    /// It has more than [`EXPRESSION_LENGTH_MAX`] characters.
    #[error("expression is longer than {EXPRESSION_LENGTH_MAX} characters")]
    TooLong,
    /// Its parentheses nest too deeply.
    #[error("expression is nested more than {NESTING_MAX} deep")]
    TooDeep,
    /// It ends where more must come.
    #[error("expression ends too early: expected {0}")]
    Ended(&'static str),
    /// Something else stands where `expected` should.
    #[error("expected {expected} at '{found}'")]
    Unexpected {
        /// What should stand there.
        expected: &'static str,
        /// The rest of the expression from there, cut short.
        found: String,
    },
    /// A quoted text does not end.
    #[error("a quoted text does not end")]
    UnclosedQuote,
    /// No such subject.
    #[error("unknown subject '{0}'")]
    Subject(String),
    /// The subject cannot be compared this way.
    #[error("operator '{operator}' does not apply to '{subject}'")]
    Operator {
        /// The subject.
        subject: String,
        /// The operator as it is spelled in words.
        operator: &'static str,
    },
    /// The argument is no value of the subject's kind.
    #[error("'{argument}' is not a valid value for '{subject}'")]
    Argument {
        /// The subject.
        subject: String,
        /// The argument.
        argument: String,
    },
    /// The pattern is not a regular expression, or too large a one.
    #[error("'{0}' is not a valid pattern")]
    Pattern(String),
}

type Parsed<T> = Result<T, InvalidExpression>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Compare(Comparison),
    Exists,
    NotExists,
    In,
    NotIn,
    Matches,
    NotMatches,
}

/// Operators of signs; where one begins another, the longer comes first.
const SIGNS: [(&str, Operator); 8] = [
    ("==", Operator::Compare(Comparison::Equal)),
    ("!=", Operator::Compare(Comparison::NotEqual)),
    (">=", Operator::Compare(Comparison::GreaterOrEqual)),
    (">", Operator::Compare(Comparison::Greater)),
    ("<=", Operator::Compare(Comparison::LessOrEqual)),
    ("<", Operator::Compare(Comparison::Less)),
    ("=~", Operator::Matches),
    ("!~", Operator::NotMatches),
];

const WORDS: [(&str, Operator); 14] = [
    ("equals", Operator::Compare(Comparison::Equal)),
    ("not_equals", Operator::Compare(Comparison::NotEqual)),
    ("greater_than", Operator::Compare(Comparison::Greater)),
    (
        "greater_than_equal",
        Operator::Compare(Comparison::GreaterOrEqual),
    ),
    ("less_than", Operator::Compare(Comparison::Less)),
    (
        "less_than_equal",
        Operator::Compare(Comparison::LessOrEqual),
    ),
    ("exists", Operator::Exists),
    ("!exists", Operator::NotExists),
    ("not_exists", Operator::NotExists),
    ("in", Operator::In),
    ("!in", Operator::NotIn),
    ("not_in", Operator::NotIn),
    ("matches", Operator::Matches),
    ("not_matches", Operator::NotMatches),
];

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Compare(Comparison::Equal) => "equals",
            Self::Compare(Comparison::NotEqual) => "not_equals",
            Self::Compare(Comparison::Greater) => "greater_than",
            Self::Compare(Comparison::GreaterOrEqual) => "greater_than_equal",
            Self::Compare(Comparison::Less) => "less_than",
            Self::Compare(Comparison::LessOrEqual) => "less_than_equal",
            Self::Exists => "exists",
            Self::NotExists => "not_exists",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::Matches => "matches",
            Self::NotMatches => "not_matches",
        }
    }
}

pub(super) fn parse(raw: &str) -> Parsed<Node> {
    if raw.chars().nth(EXPRESSION_LENGTH_MAX).is_some() {
        return Err(InvalidExpression::TooLong);
    }
    let mut parser = Parser {
        cursor: Cursor::new(raw),
        depth: 0,
    };
    let node = parser.any()?;
    if !parser.cursor.is_at_end() {
        return Err(parser.unexpected("'and' or 'or'"));
    }
    Ok(node)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Parsed<Node> {
        let mut nodes = vec![self.all()?];
        while self.cursor.symbol("||") || self.cursor.keyword("or") {
            nodes.push(self.all()?);
        }
        Ok(only_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Parsed<Node> {
        let mut nodes = vec![self.negation()?];
        while self.cursor.symbol("&&") || self.cursor.keyword("and") {
            nodes.push(self.negation()?);
        }
        Ok(only_or(nodes, Node::All))
    }

    /// A run of negations is counted, not nested, so that it cannot use up the stack.
    fn negation(&mut self) -> Parsed<Node> {
        let mut negated = false;
        while self.cursor.symbol("!") || self.cursor.keyword("not") {
            negated = !negated;
        }
        let node = self.primary()?;
        Ok(if negated {
            Node::Not(Box::new(node))
        } else {
            node
        })
    }

    fn primary(&mut self) -> Parsed<Node> {
        if !self.cursor.symbol("(") {
            return self.comparison();
        }
        if self.depth == NESTING_MAX {
            return Err(InvalidExpression::TooDeep);
        }
        self.depth += 1;
        let node = self.any()?;
        self.depth -= 1;
        if !self.cursor.symbol(")") {
            return Err(self.unexpected("')'"));
        }
        Ok(node)
    }

    fn comparison(&mut self) -> Parsed<Node> {
        let subject = self.cursor.subject();
        if subject.is_empty() {
            return Err(self.unexpected("a subject"));
        }
        let Some(kind) = Subject::parse(subject) else {
            return Err(InvalidExpression::Subject(shortened(subject)));
        };
        let operator = self.operator()?;
        let wrong_operator = || InvalidExpression::Operator {
            subject: shortened(subject),
            operator: operator.name(),
        };
        if !kind.takes(operator) {
            return Err(wrong_operator());
        }
        let test = self.test(operator)?;
        kind.compile(test, operator, subject)
    }

    fn operator(&mut self) -> Parsed<Operator> {
        let word = WORDS.iter().find(|(word, _)| self.cursor.keyword(word));
        let found = word.or_else(|| SIGNS.iter().find(|(sign, _)| self.cursor.symbol(sign)));
        found
            .map(|(_, operator)| *operator)
            .ok_or_else(|| self.unexpected("an operator"))
    }

    fn test(&mut self, operator: Operator) -> Parsed<Test> {
        Ok(match operator {
            Operator::Exists => Test::Exists,
            Operator::NotExists => Test::IsAbsent,
            Operator::In => Test::Text(TextTest::In(self.list()?)),
            Operator::NotIn => Test::Text(TextTest::NotIn(self.list()?)),
            Operator::Matches => Test::Text(TextTest::Matches(pattern(self.argument()?)?)),
            Operator::NotMatches => Test::Text(TextTest::Mismatches(pattern(self.argument()?)?)),
            Operator::Compare(comparison) => Test::Compare(comparison, self.argument()?.into()),
        })
    }

    fn argument(&mut self) -> Parsed<&str> {
        let quoted = self.cursor.rest().starts_with(['\'', '"']);
        let argument = self.cursor.argument().map_err(unclosed)?;
        if argument.is_empty() && !quoted {
            return Err(self.unexpected("an argument"));
        }
        Ok(argument)
    }

    fn list(&mut self) -> Parsed<Vec<Box<str>>> {
        if !self.cursor.symbol("[") {
            return Err(self.unexpected("'['"));
        }
        let mut list = Vec::new();
        loop {
            let quoted = self.cursor.rest().starts_with(['\'', '"']);
            let argument = self.cursor.list_argument().map_err(unclosed)?;
            if argument.is_empty() && !quoted {
                return Err(self.unexpected("an argument"));
            }
            list.push(argument.into());
            if self.cursor.symbol("]") {
                return Ok(list);
            }
            if !self.cursor.symbol(",") {
                return Err(self.unexpected("',' or ']'"));
            }
        }
    }

    fn unexpected(&self, expected: &'static str) -> InvalidExpression {
        if self.cursor.is_at_end() {
            return InvalidExpression::Ended(expected);
        }
        InvalidExpression::Unexpected {
            expected,
            found: shortened(self.cursor.rest()),
        }
    }
}

fn unclosed(_: Unclosed) -> InvalidExpression {
    InvalidExpression::UnclosedQuote
}

fn only_or(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => join(nodes),
    }
}

/// The first characters, so that a message stays readable.
fn shortened(raw: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    raw.chars().take(CHARACTERS_MAX).collect()
}

/// The pattern, to hold for the whole of a value.
fn pattern(raw: &str) -> Parsed<Regex> {
    let compile = |raw: &str| {
        RegexBuilder::new(raw)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
            .nest_limit(PATTERN_NESTING_MAX)
            .build()
            .map_err(|_| InvalidExpression::Pattern(shortened(raw)))
    };
    // By itself first: `a)|(b` must not become valid by what is put around it.
    compile(raw)?;
    compile(&format!(r"\A(?:{raw})\z"))
}

/// The right side of a comparison.
enum Test {
    Exists,
    IsAbsent,
    Text(TextTest),
    Compare(Comparison, Box<str>),
}

enum Subject<'a> {
    Connected,
    AgentVersion,
    MachineId,
    RegisteredAt,
    RunningTasks,
    Attribute(&'a str),
    Group,
}

impl<'a> Subject<'a> {
    fn parse(raw: &'a str) -> Option<Subject<'a>> {
        Some(match raw {
            "agentConnected" => Self::Connected,
            "agentVersion" => Self::AgentVersion,
            "ec2InstanceId" => Self::MachineId,
            "registeredAt" => Self::RegisteredAt,
            "runningTasksCount" => Self::RunningTasks,
            "task:group" => Self::Group,
            _ => Self::Attribute(
                raw.strip_prefix("attribute:")
                    .filter(|name| !name.is_empty())?,
            ),
        })
    }

    /// The table of reference §6.4.
    fn takes(&self, operator: Operator) -> bool {
        use Operator as O;
        let equality = matches!(
            operator,
            O::Compare(Comparison::Equal | Comparison::NotEqual)
        );
        let membership = matches!(operator, O::In | O::NotIn | O::Matches | O::NotMatches);
        let existence = matches!(operator, O::Exists | O::NotExists);
        let comparison = matches!(operator, O::Compare(_));
        match self {
            Self::Attribute(_) => true,
            Self::Connected | Self::MachineId => equality || membership,
            Self::AgentVersion | Self::RegisteredAt | Self::RunningTasks => comparison,
            Self::Group => equality || membership || existence,
        }
    }

    fn compile(self, test: Test, operator: Operator, subject: &str) -> Parsed<Node> {
        let wrong_operator = InvalidExpression::Operator {
            subject: shortened(subject),
            operator: operator.name(),
        };
        let valid = |argument: &str| InvalidExpression::Argument {
            subject: shortened(subject),
            argument: shortened(argument),
        };
        match (self, test) {
            (Self::Attribute(name), test) => Ok(Node::Attribute(name.into(), of_attribute(test))),
            (Self::Group, Test::Exists) => Ok(Node::Group(GroupTest::Exists)),
            (Self::Group, Test::IsAbsent) => Ok(Node::Group(GroupTest::IsAbsent)),
            (Self::Group, test) => match of_text(test) {
                Some(test) => Ok(Node::Group(GroupTest::Text(test))),
                None => Err(wrong_operator),
            },
            (Self::MachineId, test) => of_text(test).map(Node::MachineId).ok_or(wrong_operator),
            (Self::Connected, test) => {
                let test = of_text(test).ok_or(wrong_operator)?;
                match not_boolean(&test) {
                    Some(argument) => Err(valid(argument)),
                    None => Ok(Node::Connected(test)),
                }
            }
            (Self::AgentVersion, Test::Compare(comparison, raw)) => Version::parse(&raw)
                .map(|version| Node::AgentVersion(comparison, version))
                .ok_or_else(|| valid(&raw)),
            (Self::RegisteredAt, Test::Compare(comparison, raw)) => Instant::parse(&raw)
                .map(|instant| Node::RegisteredAt(comparison, instant))
                .ok_or_else(|| valid(&raw)),
            (Self::RunningTasks, Test::Compare(comparison, raw)) => raw
                .parse()
                .map(|count| Node::RunningTasks(comparison, count))
                .map_err(|_| valid(&raw)),
            (
                Self::AgentVersion | Self::RegisteredAt | Self::RunningTasks,
                Test::Exists | Test::IsAbsent | Test::Text(_),
            ) => Err(wrong_operator),
        }
    }
}

fn of_attribute(test: Test) -> AttributeTest {
    match test {
        Test::Exists => AttributeTest::Exists,
        Test::IsAbsent => AttributeTest::IsAbsent,
        Test::Text(test) => AttributeTest::Text(test),
        Test::Compare(Comparison::Equal, raw) => AttributeTest::Text(TextTest::Equals(raw)),
        Test::Compare(Comparison::NotEqual, raw) => AttributeTest::Text(TextTest::Differs(raw)),
        Test::Compare(
            order @ (Comparison::Greater
            | Comparison::GreaterOrEqual
            | Comparison::Less
            | Comparison::LessOrEqual),
            raw,
        ) => AttributeTest::Order(order, raw),
    }
}

/// The test of a text without order; `None` where an order or existence is asked for.
fn of_text(test: Test) -> Option<TextTest> {
    match test {
        Test::Text(test) => Some(test),
        Test::Compare(Comparison::Equal, raw) => Some(TextTest::Equals(raw)),
        Test::Compare(Comparison::NotEqual, raw) => Some(TextTest::Differs(raw)),
        Test::Compare(
            Comparison::Greater
            | Comparison::GreaterOrEqual
            | Comparison::Less
            | Comparison::LessOrEqual,
            _,
        )
        | Test::Exists
        | Test::IsAbsent => None,
    }
}

/// The first argument that is neither `true` nor `false`; a pattern may be anything.
fn not_boolean(test: &TextTest) -> Option<&str> {
    let arguments = match test {
        TextTest::Equals(raw) | TextTest::Differs(raw) => std::slice::from_ref(raw),
        TextTest::In(list) | TextTest::NotIn(list) => list,
        TextTest::Matches(_) | TextTest::Mismatches(_) => &[],
    };
    let mut arguments = arguments.iter().map(|raw| &**raw);
    arguments.find(|raw| !matches!(*raw, "true" | "false"))
}
