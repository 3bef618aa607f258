//! How each member of each operation's request stands, judged by the golden pages.
//!
//! A member counts as seen when a case sends it, is answered, and then
//! - the answer, or a later one of the case, shows what was sent: the same value under the same
//!   name, or in a longer text such as an ARN; or
//! - the operation reads or ends what the request names, so that the answer is the effect; or
//! - the page says so: `holds RunTask count, startedBy` stands in a case whose answers depend on
//!   those members in another way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use berth_api::compatibility::Standing;
use serde_json::Value;

use crate::pages;

/// Operations that keep something of a request, by the beginning of their names.
const KEEPERS: [&str; 8] = [
    "Create", "Register", "Run", "Start", "Put", "Update", "Tag", "Submit",
];

/// The shortest text that counts as shown when a longer one holds it.
const PART_MIN: usize = 3;

/// Members that are kept and given back, and change nothing else: Berth has no use for them, or
/// none yet.
const RECORDED: &[(&str, &[&str])] = &[
    (
        "CreateCapacityProvider",
        &[
            "autoScalingGroupProvider.autoScalingGroupArn",
            "autoScalingGroupProvider.managedDraining",
            "autoScalingGroupProvider.managedScaling",
            "autoScalingGroupProvider.managedTerminationProtection",
        ],
    ),
    (
        "CreateCluster",
        &["configuration", "serviceConnectDefaults"],
    ),
    ("CreateService", SERVICE_RECORDED),
    (
        "RegisterTaskDefinition",
        &[
            "containerDefinitions[].credentialSpecs",
            "containerDefinitions[].firelensConfiguration",
            "containerDefinitions[].portMappings[].appProtocol",
            "containerDefinitions[].portMappings[].name",
            "containerDefinitions[].repositoryCredentials",
            "containerDefinitions[].secrets",
            "containerDefinitions[].versionConsistency",
            "enableFaultInjection",
            "ephemeralStorage",
            "proxyConfiguration",
            "trustedExecutionConfiguration",
            "volumes[].configuredAtLaunch",
            "volumes[].efsVolumeConfiguration",
            "volumes[].fsxWindowsFileServerVolumeConfiguration",
            "volumes[].s3filesVolumeConfiguration",
        ],
    ),
    ("RunTask", &["enableExecuteCommand"]),
    ("StartTask", &["enableExecuteCommand"]),
    (
        "UpdateCapacityProvider",
        &[
            "autoScalingGroupProvider.managedDraining",
            "autoScalingGroupProvider.managedScaling",
            "autoScalingGroupProvider.managedTerminationProtection",
        ],
    ),
    (
        "UpdateCluster",
        &["configuration", "serviceConnectDefaults"],
    ),
    ("UpdateService", SERVICE_RECORDED),
];

/// The same, of a service.
const SERVICE_RECORDED: &[&str] = &[
    "deploymentConfiguration.alarms",
    "deploymentConfiguration.lifecycleHooks[].hookDetails",
    "deploymentConfiguration.lifecycleHooks[].hookTargetArn",
    "deploymentConfiguration.lifecycleHooks[].roleArn",
    "enableExecuteCommand",
    "serviceConnectConfiguration",
];

/// Members that are refused whenever they are sent: what they ask for is nothing that Berth has.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "CreateCapacityProvider",
        &["cluster", "managedInstancesProvider"],
    ),
    ("CreateService", SERVICE_REFUSED),
    ("CreateTaskSet", &["loadBalancers", "serviceRegistries"]),
    ("DeleteCapacityProvider", &["cluster"]),
    ("ListTasks", &["daemonName"]),
    (
        "RegisterTaskDefinition",
        &[
            "containerDefinitions[].resourceRequirements[].sharingStrategy",
            "inferenceAccelerators",
        ],
    ),
    ("RunTask", TASK_REFUSED),
    ("StartTask", TASK_REFUSED),
    ("UpdateContainerAgent", &["cluster", "containerInstance"]),
    (
        "UpdateCapacityProvider",
        &["cluster", "managedInstancesProvider"],
    ),
    ("UpdateService", SERVICE_REFUSED),
];

/// The same, of a service.
const SERVICE_REFUSED: &[&str] = &[
    "deploymentConfiguration.earlySuccessCriteria",
    "gatewayConnectors",
    "loadBalancers",
    "monitoring",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// The same, of a task.
const TASK_REFUSED: &[&str] = &[
    "overrides.containerOverrides[].resourceRequirements[].sharingStrategy",
    "overrides.inferenceAcceleratorOverrides",
    "volumeConfigurations",
];

/// Members that are checked for their form and then passed over: nothing here depends on them, and
/// no answer shows them.
const PASSED_OVER: &[(&str, &[&str])] = &[
    ("DiscoverPollEndpoint", &["cluster", "containerInstance"]),
    (
        "RegisterContainerInstance",
        &[
            "attributes[].targetId",
            "attributes[].targetType",
            "instanceIdentityDocumentSignature",
            "totalResources[].doubleValue",
            "totalResources[].longValue",
        ],
    ),
    ("RunTask", TASK_PASSED_OVER),
    ("StartTask", TASK_PASSED_OVER),
    ("SubmitAttachmentStateChanges", &["attachments", "cluster"]),
    // The task's own ARN says where it is.
    ("SubmitContainerStateChange", &["cluster"]),
    (
        "SubmitTaskStateChange",
        &["attachments", "cluster", "managedAgents"],
    ),
    (
        "logs:CreateLogGroup",
        &["deletionProtectionEnabled", "kmsKeyId", "logGroupClass"],
    ),
    (
        "logs:DescribeLogGroups",
        &[
            "accountIdentifiers",
            "includeLinkedAccounts",
            "logGroupClass",
        ],
    ),
    (
        "logs:FilterLogEvents",
        &["interleaved", "startFromHead", "unmask"],
    ),
    ("logs:GetLogEvents", &["unmask"]),
    ("logs:PutLogEvents", &["entity", "sequenceToken"]),
];

/// The same, of a task.
const TASK_PASSED_OVER: &[&str] = &[
    "networkConfiguration.awsvpcConfiguration.assignPublicIp",
    "networkConfiguration.awsvpcConfiguration.securityGroups",
    "referenceId",
];

/// The operations' requests as the model has them.
pub(crate) struct Model(Value);

impl Model {
    /// # Panics
    /// When there is no such model.
    pub(crate) fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api-models");
        let path = root.join(folder).join("model.json");
        let text = std::fs::read_to_string(path).expect("the service's model");
        Self(serde_json::from_str(&text).expect("a model is JSON"))
    }

    /// The members of an operation's request that hold no others, in order.
    pub(crate) fn fields(&self, operation: &str) -> Vec<String> {
        let mut fields = Vec::new();
        if let Some(input) = name_of(&self.0["operations"][operation]["input"]) {
            self.walk(input, "", &mut vec![input.to_owned()], &mut fields);
        }
        fields
    }

    fn walk(&self, shape: &str, path: &str, above: &mut Vec<String>, fields: &mut Vec<String>) {
        let body = &self.0["shapes"][shape];
        let inner: Vec<(String, &Value)> = match body["type"].as_str() {
            Some("structure") if body["document"] != true => {
                let members = body["members"].as_object().into_iter().flatten();
                let dot = if path.is_empty() { "" } else { "." };
                members
                    .map(|(name, usage)| (format!("{path}{dot}{name}"), usage))
                    .collect()
            }
            Some("list") => vec![(format!("{path}[]"), &body["member"])],
            Some("map") => vec![(format!("{path}{{}}"), &body["value"])],
            _ => Vec::new(),
        };
        if inner.is_empty() && !path.is_empty() {
            fields.push(path.to_owned());
        }
        for (path, usage) in inner {
            let name = name_of(usage).expect("a use names a shape").to_owned();
            // A shape that holds itself is listed once.
            if !above.contains(&name) {
                above.push(name.clone());
                self.walk(&name, &path, above, fields);
                above.pop();
            }
        }
    }
}

fn name_of(usage: &Value) -> Option<&str> {
    usage.as_str().or_else(|| usage["shape"].as_str())
}

/// What the pages send and see.
#[derive(Default)]
pub(crate) struct Evidence {
    /// (operation, field) that were seen.
    seen: BTreeSet<(String, String)>,
    /// (operation, field) that were sent, and whether ever with success.
    sent: BTreeMap<(String, String), bool>,
}

/// A value sent in a request of the case at hand.
struct Sent {
    operation: String,
    field: String,
    value: Value,
}

impl Evidence {
    /// Plays every page.
    ///
    /// # Panics
    /// When a page holds a member that its case does not send with success.
    pub(crate) fn gather() -> Self {
        let mut evidence = Self::default();
        for path in pages::paths() {
            let page = std::fs::read_to_string(&path).expect("a page can be read");
            let mut case = String::new();
            let mut open: Vec<Sent> = Vec::new();
            let mut sent_in: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
            pages::play(&page, |exchange| {
                if case != exchange.case {
                    exchange.case.clone_into(&mut case);
                    open.clear();
                }
                let mut leaves = Vec::new();
                leaves_of(&exchange.request, "", &mut leaves);
                for (field, value) in leaves {
                    let key = (exchange.operation.to_owned(), field.clone());
                    let answered = exchange.answer.is_some();
                    *evidence.sent.entry(key.clone()).or_default() |= answered;
                    if !answered {
                        continue;
                    }
                    sent_in.entry(case.clone()).or_default().insert(key.clone());
                    if keeps(exchange.operation) {
                        let operation = exchange.operation.to_owned();
                        open.push(Sent {
                            operation,
                            field,
                            value,
                        });
                    } else {
                        evidence.seen.insert(key);
                    }
                }
                if let Some(answer) = exchange.answer {
                    open.retain(|sent| {
                        let shown = shows(answer, last_name(&sent.field), &sent.value);
                        if shown {
                            let key = (sent.operation.clone(), sent.field.clone());
                            evidence.seen.insert(key);
                        }
                        !shown
                    });
                }
            });
            evidence.take_holds(&page, &sent_in);
        }
        evidence
    }

    /// Reads the lines `holds OPERATION FIELD, FIELD`.
    fn take_holds(&mut self, page: &str, sent: &BTreeMap<String, BTreeSet<(String, String)>>) {
        let mut case = "";
        for line in page.lines() {
            if line.starts_with("## ") {
                case = line;
            }
            let Some((operation, fields)) = line
                .strip_prefix("holds ")
                .and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            for field in fields.split(", ") {
                let key = (operation.to_owned(), field.to_owned());
                let known = sent.get(case).is_some_and(|sent| sent.contains(&key));
                assert!(known, "{case}: {operation} {field} is not sent there");
                self.seen.insert(key);
            }
        }
    }

    /// How a member stands.
    pub(crate) fn standing(&self, operation: &str, field: &str) -> Standing {
        let key = (operation.to_owned(), field.to_owned());
        let answered = self.sent.get(&key).copied();
        match (self.seen.contains(&key), answered) {
            (_, Some(true)) if listed(PASSED_OVER, operation, field) => Standing::PassedOver,
            (true, _) if listed(RECORDED, operation, field) => Standing::Recorded,
            (true, _) => Standing::Served,
            (false, Some(false)) if listed(REFUSED, operation, field) => Standing::Refused,
            (false, _) => Standing::Untested,
        }
    }
}

/// Whether a list names a member of an operation, or what it is within.
fn listed(list: &[(&str, &[&str])], operation: &str, field: &str) -> bool {
    list.iter()
        .any(|(of, fields)| *of == operation && fields.iter().any(|prefix| begins(field, prefix)))
}

/// Whether `field` is the member `prefix`, or within it.
fn begins(field: &str, prefix: &str) -> bool {
    let rest = field.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
}

fn keeps(operation: &str) -> bool {
    let name = operation.rsplit(':').next().unwrap_or(operation);
    KEEPERS.iter().any(|prefix| name.starts_with(prefix))
}

/// Every value in `value` that holds no others, with its path. Whether an object is a structure or
/// a map is not known here, so that each is listed as both.
fn leaves_of(value: &Value, path: &str, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            // A document is one value, whatever is in it.
            leaves.push((path.to_owned(), value.clone()));
            let dot = if path.is_empty() { "" } else { "." };
            for (name, inner) in members {
                leaves_of(inner, &format!("{path}{dot}{name}"), leaves);
                if !path.is_empty() && !inner.is_object() && !inner.is_array() {
                    leaves.push((format!("{path}{{}}"), inner.clone()));
                }
            }
        }
        Value::Array(elements) => {
            for inner in elements {
                leaves_of(inner, &format!("{path}[]"), leaves);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            leaves.push((path.to_owned(), value.clone()));
        }
    }
}

/// The last member's name in a path.
fn last_name(field: &str) -> &str {
    let field = field.trim_end_matches(['[', ']', '{', '}']);
    field.rsplit('.').next().unwrap_or(field)
}

/// Whether an answer shows a value that was sent as `name`.
fn shows(answer: &Value, name: &str, sent: &Value) -> bool {
    fn holds(shown: &Value, sent: &Value) -> bool {
        match (shown, sent) {
            (Value::String(shown), Value::String(sent)) => {
                shown == sent || (sent.len() >= PART_MIN && shown.contains(sent.as_str()))
            }
            (Value::Number(shown), Value::Number(sent)) => shown.as_f64() == sent.as_f64(),
            (shown, sent) => shown == sent,
        }
    }
    fn under(value: &Value, sent: &Value) -> bool {
        match value {
            whole if whole == sent => true,
            Value::Array(elements) => elements.iter().any(|inner| under(inner, sent)),
            Value::Object(members) => members.values().any(|inner| under(inner, sent)),
            leaf => holds(leaf, sent),
        }
    }
    match answer {
        Value::Object(members) => members.iter().any(|(key, inner)| {
            (key == name && under(inner, sent))
                || shows(inner, name, sent)
                // A name that was sent stands in the ARNs of what it names.
                || (key.ends_with("Arn") && inner.is_string() && sent.is_string() && holds(inner, sent))
        }),
        Value::Array(elements) => elements.iter().any(|inner| shows(inner, name, sent)),
        _ => false,
    }
}

/// That no entry of the lists has become a slip.
///
/// # Panics
/// When one names no member.
pub(crate) fn check_lists() {
    let (ecs, logs) = (Model::read("ecs"), Model::read("logs"));
    for (operation, prefixes) in RECORDED.iter().chain(REFUSED).chain(PASSED_OVER) {
        let fields = match operation.strip_prefix("logs:") {
            Some(operation) => logs.fields(operation),
            None => ecs.fields(operation),
        };
        for prefix in *prefixes {
            assert!(
                fields.iter().any(|field| begins(field, prefix)),
                "{operation} has no member {prefix}"
            );
        }
    }
}
