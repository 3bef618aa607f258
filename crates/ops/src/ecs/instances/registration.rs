//! What an agent says of its machine when it registers (agent protocol reference §2.2).

use std::collections::BTreeSet;

use berth_api::ecs;
use berth_model::instance::{Attribute, ZONE_ATTRIBUTE};
use berth_model::name::Region;
use berth_model::resources::{Capacity, HostPort, Transport};
use berth_model::text::Text;
use serde::Deserialize;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The most attributes of a registration. A stock agent sends about 70.
const ATTRIBUTES_MAX: usize = 500;
/// The most characters of an attribute's name.
const NAME_LENGTH_MAX: usize = 128;
/// The most characters of an attribute's value. ECS's limit for its users is 128; what the agents
/// themselves say is not held to it.
const VALUE_LENGTH_MAX: usize = 255;
/// The most reserved host ports of an instance (reference §5.1).
const RESERVED_PORTS_MAX: usize = 100;
/// The most GPUs of an instance.
const GPUS_MAX: usize = 256;
/// The most characters of a GPU's id.
const GPU_ID_LENGTH_MAX: usize = 128;
/// The most bytes of an instance identity document, which has about 500.
const DOCUMENT_LENGTH_MAX: usize = 16 * 1024;
/// The most characters of a fact in an instance identity document.
const FACT_LENGTH_MAX: usize = 128;
/// What the names of attributes begin with that users do not put.
const RESERVED_PREFIXES: [&str; 3] = ["ecs.", "com.amazonaws.ecs.", "berth."];

/// Whether an attribute of this name is the agent's or the server's, and no user's.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// A machine as its agent tells it.
pub(super) struct Registration {
    pub(super) capacity: Capacity,
    /// Of the agent and the server.
    pub(super) attributes: Vec<Attribute>,
    /// Of the agent's settings: they count as put by a user, since an agent says them once.
    pub(super) custom_attributes: Vec<Attribute>,
    /// The cloud machine's id.
    pub(super) machine_id: Option<Text>,
}

impl Registration {
    /// Reads a registration in `region`.
    ///
    /// # Errors
    /// InvalidParameterException for what no machine can have.
    pub(super) fn parse(
        input: &ecs::RegisterContainerInstanceRequest,
        region: &Region,
    ) -> Result<Registration, ApiError> {
        let document = Document::parse(input.instance_identity_document.as_deref());
        let given = input.attributes.as_deref().unwrap_or_default();
        if given.len() > ATTRIBUTES_MAX {
            return Err(invalid(format!(
                "attributes can have at most {ATTRIBUTES_MAX} items."
            )));
        }
        let (mut attributes, mut custom_attributes) = (Vec::new(), Vec::new());
        for attribute in given {
            let attribute = parse_attribute(attribute)?;
            let list = if is_reserved(&attribute.name) {
                &mut attributes
            } else {
                &mut custom_attributes
            };
            set(list, attribute);
        }
        for (name, value) in document.attributes() {
            add_absent(&mut attributes, name, value);
        }
        add_absent(&mut attributes, ZONE_ATTRIBUTE, &format!("{region}a"));
        Ok(Registration {
            capacity: parse_capacity(input)?,
            attributes,
            custom_attributes,
            machine_id: document.instance_id.as_deref().map(Text::new),
        })
    }
}

/// Puts an attribute in the place of the one with its name.
pub(super) fn set(list: &mut Vec<Attribute>, attribute: Attribute) {
    match list.iter_mut().find(|have| have.name == attribute.name) {
        Some(have) => *have = attribute,
        None => list.push(attribute),
    }
}

fn add_absent(list: &mut Vec<Attribute>, name: &str, value: &str) {
    if list.iter().all(|have| have.name != name) {
        list.push(Attribute {
            name: name.into(),
            value: Some(value.into()),
        });
    }
}

fn parse_attribute(given: &ecs::Attribute) -> Result<Attribute, ApiError> {
    let name = given.name.as_deref().unwrap_or_default();
    if !(1..=NAME_LENGTH_MAX).contains(&name.chars().count()) {
        return Err(invalid(format!(
            "Attribute names must have 1 to {NAME_LENGTH_MAX} characters."
        )));
    }
    let value = given.value.as_deref();
    if value.is_some_and(|value| value.chars().count() > VALUE_LENGTH_MAX) {
        return Err(invalid(format!(
            "Attribute values can have at most {VALUE_LENGTH_MAX} characters."
        )));
    }
    Ok(Attribute {
        name: name.into(),
        value: value.map(Text::new),
    })
}

fn parse_capacity(input: &ecs::RegisterContainerInstanceRequest) -> Result<Capacity, ApiError> {
    let mut capacity = Capacity::default();
    for resource in input.total_resources.iter().flatten() {
        let strings = resource.string_set_value.as_deref().unwrap_or_default();
        match resource.name.as_deref().unwrap_or_default() {
            "CPU" => capacity.cpu = amount(resource)?,
            "MEMORY" => capacity.memory = amount(resource)?,
            "PORTS" => reserve(&mut capacity.reserved_ports, Transport::Tcp, strings)?,
            "PORTS_UDP" => reserve(&mut capacity.reserved_ports, Transport::Udp, strings)?,
            "GPU" => add_gpus(&mut capacity.gpus, strings.iter())?,
            // Kinds of hardware that nothing here can ask for.
            _ => {}
        }
    }
    let devices = input.platform_devices.iter().flatten();
    let gpus = devices.filter(|device| device.r#type == Some(ecs::PlatformDeviceType::Gpu));
    add_gpus(&mut capacity.gpus, gpus.filter_map(|gpu| gpu.id.as_ref()))?;
    Ok(capacity)
}

fn amount(resource: &ecs::Resource) -> Result<u32, ApiError> {
    let value = resource.integer_value.unwrap_or_default();
    u32::try_from(value).map_err(|_| {
        let name = resource.name.as_deref().unwrap_or_default();
        invalid(format!("Resource {name} must not be negative."))
    })
}

fn reserve(
    ports: &mut BTreeSet<HostPort>,
    transport: Transport,
    given: &[String],
) -> Result<(), ApiError> {
    for port in given {
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| invalid("Ports must be numbers from 1 to 65535."))?;
        ports.insert(HostPort { transport, port });
    }
    if ports.len() > RESERVED_PORTS_MAX {
        return Err(invalid(format!(
            "An instance can have at most {RESERVED_PORTS_MAX} reserved ports."
        )));
    }
    Ok(())
}

fn add_gpus<'a>(
    gpus: &mut Vec<Text>,
    given: impl Iterator<Item = &'a String>,
) -> Result<(), ApiError> {
    for id in given {
        if !(1..=GPU_ID_LENGTH_MAX).contains(&id.len()) || gpus.len() >= GPUS_MAX {
            return Err(invalid("Platform devices are invalid."));
        }
        let id = Text::new(id);
        if !gpus.contains(&id) {
            gpus.push(id);
        }
    }
    Ok(())
}

/// The facts of an Amazon EC2 instance identity document. Its signature is not looked at: the
/// caller's own is what lets it register.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    instance_id: Option<String>,
    instance_type: Option<String>,
    image_id: Option<String>,
    availability_zone: Option<String>,
    architecture: Option<String>,
}

impl Document {
    fn parse(raw: Option<&str>) -> Document {
        let raw = raw.filter(|raw| raw.len() <= DOCUMENT_LENGTH_MAX);
        let mut document: Document = raw
            .and_then(|raw| serde_json::from_str(raw).ok())
            .unwrap_or_default();
        for fact in [
            &mut document.instance_id,
            &mut document.instance_type,
            &mut document.image_id,
            &mut document.availability_zone,
            &mut document.architecture,
        ] {
            let fits = |text: &String| (1..=FACT_LENGTH_MAX).contains(&text.len());
            *fact = fact.take().filter(fits);
        }
        document
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("ecs.instance-type", &self.instance_type),
            ("ecs.ami-id", &self.image_id),
            (ZONE_ATTRIBUTE, &self.availability_zone),
            ("ecs.cpu-architecture", &self.architecture),
        ]
        .into_iter()
        .filter_map(|(name, fact)| Some((name, fact.as_deref()?)))
    }
}
