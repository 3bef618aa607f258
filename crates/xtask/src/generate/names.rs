//! Names in Rust for names of a model.

/// Words that Rust keeps for itself and a member may be called.
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match",
    "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// `enableECSManagedTags` as `enable_ecs_managed_tags`.
pub(super) fn field(member: &str) -> String {
    let name = words(member).join("_");
    if KEYWORDS.contains(&&*name) {
        format!("r#{name}")
    } else {
        name
    }
}

/// `TagKey` as `tag_key`, with no regard to keywords: for names with a prefix.
pub(super) fn snake(shape: &str) -> String {
    words(shape).join("_")
}

/// `TagKey` as `TAG_KEY`.
pub(super) fn constant(shape: &str) -> String {
    words(shape).join("_").to_ascii_uppercase()
}

/// A shape's name as a type's.
pub(super) fn type_name(shape: &str) -> String {
    let mut characters = shape.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Variants for an enum's values, in their order: `FARGATE_SPOT` as `FargateSpot`. A value that
/// is called unknown gives way to the variant that all our enums have for unknown values.
pub(super) fn variants(values: &[String]) -> Vec<String> {
    let mut variants: Vec<String> = Vec::new();
    for value in values {
        let mut name: String = words(value).iter().map(|word| type_name(word)).collect();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            name.insert(0, 'V');
        }
        if matches!(&*name, "Unknown" | "Self") {
            name.push_str("Value");
        }
        while variants.contains(&name) {
            name.push('X');
        }
        variants.push(name);
    }
    variants
}

/// `ClusterNotFoundException` as `ClusterNotFound`.
pub(super) fn fault(shape: &str) -> String {
    let stem = shape.strip_suffix("Exception").unwrap_or(shape);
    type_name(if stem.is_empty() { shape } else { stem })
}

/// The words of a name in lower case: they begin at a capital after a small letter or digit, at
/// the last of several capitals when a small letter follows, and after anything else.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            continue;
        }
        let before = index.checked_sub(1).map(|before| characters[before]);
        let small_before = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let small_after = characters
            .get(index + 1)
            .is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && (small_before || small_after) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.push(character.to_ascii_lowercase());
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        for (member, expected) in [
            ("taskDefinition", "task_definition"),
            ("enableECSManagedTags", "enable_ecs_managed_tags"),
            ("ec2InstanceId", "ec2_instance_id"),
            ("type", "r#type"),
            ("s3BucketName", "s3_bucket_name"),
            ("Arn", "arn"),
            ("ARN", "arn"),
            ("runtimeId", "runtime_id"),
        ] {
            assert_eq!(field(member), expected);
        }
    }

    #[test]
    fn values_become_variants_of_their_own() {
        let values = [
            "EC2",
            "FARGATE_SPOT",
            "awsvpc",
            "no-new",
            "2",
            "UNKNOWN",
            "ec2",
            "aBc",
        ];
        let values: Vec<String> = values.map(str::to_owned).into();
        assert_eq!(
            variants(&values),
            [
                "Ec2",
                "FargateSpot",
                "Awsvpc",
                "NoNew",
                "V2",
                "UnknownValue",
                "Ec2X",
                "ABc"
            ]
        );
    }
}
