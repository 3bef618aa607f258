//! Placement strategies: in what order the instances that a task fits on are preferred.
//!
//! A strategy never rules an instance out; a later one breaks the ties of the earlier
//! (reference §6.1).

use berth_model::instance::ZONE_ATTRIBUTE;
use berth_model::text::Text;

/// The most strategies that one request may name (reference §6.1).
pub const STRATEGIES_MAX: usize = 5;
/// The most constraints of a task definition and a request together (reference §6.1).
pub const CONSTRAINTS_MAX: usize = 10;

/// What `spread` spreads over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpreadField {
    /// The values of this attribute; instances without it count as one value of their own.
    Attribute(Text),
    /// The instances themselves.
    InstanceId,
}

/// What `binpack` packs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BinpackField {
    /// CPU units.
    Cpu,
    /// MiB.
    Memory,
}

/// One placement strategy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// Any instance; the request's seed decides.
    Random,
    /// Where the fewest tasks of the same group are.
    Spread(SpreadField),
    /// Where the least is left of the resource.
    Binpack(BinpackField),
}

/// Why a type and field make no strategy. The messages are ECS's own where they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStrategy {
    /// The type is none of `random`, `spread` and `binpack`.
    #[error("strategy type '{0}' is invalid")]
    Type(String),
    /// `spread` by something that is neither an instance nor an attribute.
    #[error("spread field '{0}' is invalid")]
    SpreadField(String),
    /// `binpack` by something that is neither CPU nor memory (reference §2.4).
    #[error("binpack field '{0}' is invalid")]
    BinpackField(String),
    /// `random` takes no field.
    #[error("random field should not be specified")]
    RandomField,
}

impl Strategy {
    /// Reads the API's `type` and `field`. Field names are case-insensitive, an attribute's name
    /// is not (reference §6.1).
    ///
    /// # Errors
    ///
    /// When the type is unknown, or the field does not go with it.
    pub fn parse(kind: &str, field: Option<&str>) -> Result<Strategy, InvalidStrategy> {
        let field = field.unwrap_or_default();
        if kind.eq_ignore_ascii_case("random") {
            return match field {
                "" => Ok(Strategy::Random),
                _ => Err(InvalidStrategy::RandomField),
            };
        }
        if kind.eq_ignore_ascii_case("spread") {
            return match parse_spread(field) {
                Some(field) => Ok(Strategy::Spread(field)),
                None => Err(InvalidStrategy::SpreadField(field.into())),
            };
        }
        if kind.eq_ignore_ascii_case("binpack") {
            return match field {
                _ if field.eq_ignore_ascii_case("cpu") => Ok(Strategy::Binpack(BinpackField::Cpu)),
                _ if field.eq_ignore_ascii_case("memory") => {
                    Ok(Strategy::Binpack(BinpackField::Memory))
                }
                _ => Err(InvalidStrategy::BinpackField(field.into())),
            };
        }
        Err(InvalidStrategy::Type(kind.into()))
    }

    /// The API's `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Spread(_) => "spread",
            Self::Binpack(_) => "binpack",
        }
    }

    /// The API's `field`, in the spelling that ECS answers with; none for `random`.
    #[must_use]
    pub fn field(&self) -> Option<String> {
        match self {
            Self::Random => None,
            Self::Spread(SpreadField::InstanceId) => Some("instanceId".into()),
            Self::Spread(SpreadField::Attribute(name)) => Some(format!("attribute:{name}")),
            Self::Binpack(BinpackField::Cpu) => Some("CPU".into()),
            Self::Binpack(BinpackField::Memory) => Some("MEMORY".into()),
        }
    }

    /// What RunTask does when no strategy is named: zones are balanced as well as they can be,
    /// and within a zone any instance will do.
    #[must_use]
    pub fn run_task_default() -> Vec<Strategy> {
        vec![spread_over_zones(), Strategy::Random]
    }

    /// What a service does when it names no strategy: spread over zones, then over instances
    /// (reference §6.1).
    #[must_use]
    pub fn service_default() -> Vec<Strategy> {
        vec![
            spread_over_zones(),
            Strategy::Spread(SpreadField::InstanceId),
        ]
    }
}

fn spread_over_zones() -> Strategy {
    Strategy::Spread(SpreadField::Attribute(ZONE_ATTRIBUTE.into()))
}

fn parse_spread(field: &str) -> Option<SpreadField> {
    const PREFIX: &str = "attribute:";
    if field.eq_ignore_ascii_case("instanceId") || field.eq_ignore_ascii_case("host") {
        return Some(SpreadField::InstanceId);
    }
    let (prefix, name) = field.split_at_checked(PREFIX.len())?;
    (prefix.eq_ignore_ascii_case(PREFIX) && !name.is_empty())
        .then(|| SpreadField::Attribute(name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_reads_back_as_ecs_shows_it() {
        for (kind, field, shown) in [
            ("random", None, None),
            ("spread", Some("host"), Some("instanceId")),
            ("spread", Some("INSTANCEID"), Some("instanceId")),
            ("spread", Some("attribute:Rack"), Some("attribute:Rack")),
            ("binpack", Some("Memory"), Some("MEMORY")),
            ("binpack", Some("cpu"), Some("CPU")),
        ] {
            let strategy = Strategy::parse(kind, field).unwrap();
            assert_eq!(strategy.kind(), kind);
            assert_eq!(strategy.field().as_deref(), shown);
        }
    }

    #[test]
    fn a_wrong_field_is_refused_in_the_words_of_ecs() {
        let says = |kind, field| Strategy::parse(kind, field).unwrap_err().to_string();
        assert_eq!(
            says("binpack", Some("disk")),
            "binpack field 'disk' is invalid"
        );
        assert_eq!(says("binpack", None), "binpack field '' is invalid");
        assert_eq!(
            says("spread", Some("attribute:")),
            "spread field 'attribute:' is invalid"
        );
        assert_eq!(
            says("spread", Some("äöüäöüäöü")),
            "spread field 'äöüäöüäöü' is invalid"
        );
        assert_eq!(
            says("random", Some("cpu")),
            "random field should not be specified"
        );
        assert_eq!(says("pack", None), "strategy type 'pack' is invalid");
    }
}
