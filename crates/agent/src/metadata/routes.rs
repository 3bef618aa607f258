//! Which path is answered with what.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::render::{self, Form};
use super::{Asker, Served, credentials, protection};
use crate::http::CallError;

/// The largest body taken: a protection request has two members.
const BODY_BYTES_MAX: usize = 16 * 1024;

type Answer = (StatusCode, Value);

/// Answers one request.
pub(super) async fn answer(
    served: &Served,
    client: IpAddr,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (status, value) = match served.limiter.allows(client) {
        true => route(served, client, request).await,
        false => (
            StatusCode::TOO_MANY_REQUESTS,
            json!("request rate limit exceeded"),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn route(served: &Served, client: IpAddr, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if let ["api", token, rest @ ..] = parts.as_slice() {
        return agent_api(served, token, rest, request).await;
    }
    if request.method() != Method::GET {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            json!("only GET is served here"),
        );
    }
    match parts.as_slice() {
        ["v4", token, rest @ ..] => metadata(served, token, rest, Form::V4).await,
        ["v3", token, rest @ ..] => metadata(served, token, rest, Form::V3).await,
        ["v2", "credentials", id] => credentials::answer(served, Some(id)),
        ["v2", "credentials"] => credentials::answer(served, None),
        ["v1", "credentials"] => {
            let query = request.uri().query().unwrap_or_default();
            let id = query.split('&').find_map(|pair| pair.strip_prefix("id="));
            credentials::answer(served, id)
        }
        ["v2", rest @ ..] => by_address(served, client, rest).await,
        _ => (StatusCode::NOT_FOUND, json!("404 page not found")),
    }
}

async fn metadata(served: &Served, token: &str, rest: &[&str], form: Form) -> Answer {
    let version = match form {
        Form::V3 => "V3",
        Form::V4 => "V4",
    };
    let Some(asker) = served.by_token(token) else {
        let text =
            format!("{version} metadata handler: unable to get task arn from request: unknown id");
        return (StatusCode::NOT_FOUND, json!(text));
    };
    let docker = served.docker.as_ref();
    match rest {
        [] => {
            let shown = render::container(docker, &asker, asker.container, form).await;
            found(shown, "no such container")
        }
        ["task"] => (StatusCode::OK, render::task(docker, &asker, form).await),
        ["taskWithTags"] => {
            let mut shown = render::task(docker, &asker, form).await;
            add_tags(&asker, &mut shown).await;
            (StatusCode::OK, shown)
        }
        ["stats"] => {
            let id = asker.view.containers.get(asker.container);
            let stats = match id.and_then(|container| container.runtime_id.as_ref()) {
                Some(id) => served.samples.of(docker, id).await,
                None => None,
            };
            found(stats, "the container does not run")
        }
        ["task", "stats"] => (StatusCode::OK, served.samples.of_task(docker, &asker).await),
        ["associations", kind] => (StatusCode::OK, associations(&asker, kind)),
        ["associations", kind, name] => association(&asker, kind, name),
        _ => (StatusCode::NOT_FOUND, json!("404 page not found")),
    }
}

fn found(value: Option<Value>, otherwise: &str) -> Answer {
    match value {
        Some(value) => (StatusCode::OK, value),
        None => (StatusCode::NOT_FOUND, json!(otherwise)),
    }
}

/// The oldest form, for awsvpc tasks alone: whose address it is says who asks.
async fn by_address(served: &Served, client: IpAddr, rest: &[&str]) -> Answer {
    let Some(asker) = served.by_address(client) else {
        let text = format!("unable to get task arn from request: no task has the address {client}");
        return (StatusCode::BAD_REQUEST, json!(text));
    };
    let with_id = |id: &str| {
        let mut containers = asker.view.containers.iter();
        containers.position(|one| one.runtime_id.as_deref() == Some(id))
    };
    let docker = served.docker.as_ref();
    match rest {
        ["metadata"] => (StatusCode::OK, render::task(docker, &asker, Form::V3).await),
        ["metadataWithTags"] => {
            let mut shown = render::task(docker, &asker, Form::V3).await;
            add_tags(&asker, &mut shown).await;
            (StatusCode::OK, shown)
        }
        ["metadata", id] => match with_id(id) {
            Some(index) => {
                let shown = render::container(docker, &asker, index, Form::V3).await;
                found(shown, "no such container")
            }
            None => (StatusCode::BAD_REQUEST, json!("no such container")),
        },
        ["stats"] => (StatusCode::OK, served.samples.of_task(docker, &asker).await),
        ["stats", id] => match with_id(id) {
            Some(_) => {
                let stats = served.samples.of(docker, &(*id).into()).await;
                found(stats, "the container does not run")
            }
            None => (StatusCode::BAD_REQUEST, json!("no such container")),
        },
        _ => (StatusCode::NOT_FOUND, json!("404 page not found")),
    }
}

/// Adds the tags of task and instance, or why they could not be had.
async fn add_tags(asker: &Asker, shown: &mut Value) {
    let ecs = &asker.agent.ecs;
    let task = asker.view.task.arn.clone();
    let instance = asker.agent.directory.instance().to_owned();
    let mut errors = Vec::new();
    for (key, arn) in [("ContainerInstanceTags", instance), ("TaskTags", task)] {
        match ecs.tags(&arn).await {
            Ok(tags) if tags.is_empty() => {}
            Ok(tags) => {
                let pairs = tags.into_iter().map(|tag| {
                    let value = Value::from(tag.value.unwrap_or_default());
                    (tag.key.unwrap_or_default(), value)
                });
                shown[key] = Value::Object(pairs.collect());
            }
            Err(error) => errors.push(tag_error(key, &arn, &error)),
        }
    }
    if !errors.is_empty() {
        shown["Errors"] = errors.into();
    }
}

fn tag_error(field: &str, arn: &str, error: &CallError) -> Value {
    let (status, code, message) = match error {
        CallError::Refused {
            status,
            code,
            message,
        } => (*status, code.as_str(), message.as_str()),
        CallError::Failed(message) => (500, "ServerException", message.as_str()),
    };
    json!({
        "ErrorField": field,
        "ErrorCode": code,
        "ErrorMessage": message,
        "StatusCode": status,
        "ResourceARN": arn,
    })
}

/// The names of the container's associations of a kind.
fn associations(asker: &Asker, kind: &str) -> Value {
    let names = of_container(asker, kind).map(|association| association.name.clone());
    json!({ "Associations": names.collect::<Vec<_>>() })
}

fn association(asker: &Asker, kind: &str, name: &str) -> Answer {
    let mut own = of_container(asker, kind);
    match own.find(|association| association.name == name) {
        Some(association) => (StatusCode::OK, json!(association.content.value)),
        None => (StatusCode::NOT_FOUND, json!("no such association")),
    }
}

fn of_container<'a>(
    asker: &'a Asker,
    kind: &'a str,
) -> impl Iterator<Item = &'a berth_agent_proto::task::Association> {
    let container = asker.view.task.containers.get(asker.container);
    let name = container.map_or("", |container| &container.name);
    let all = asker.view.task.associations.iter();
    all.filter(move |association| {
        association.kind == kind && association.containers.iter().any(|one| one == name)
    })
}

/// What tasks may do: protect themselves. Fault injection is not served, and says so.
async fn agent_api(
    served: &Served,
    token: &str,
    rest: &[&str],
    request: Request<Incoming>,
) -> Answer {
    let Some(asker) = served.by_token(token) else {
        let message = "Invalid request: unable to find the task of the request";
        return protection::refuse(
            StatusCode::NOT_FOUND,
            None,
            "ResourceNotFoundException",
            message,
        );
    };
    match (request.method(), rest) {
        (&Method::GET, ["task-protection", "v1", "state"]) => protection::get(&asker).await,
        (&Method::PUT, ["task-protection", "v1", "state"]) => {
            let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
            match body.collect().await {
                Ok(body) => protection::put(&asker, &body.to_bytes()).await,
                Err(_) => protection::refuse(
                    StatusCode::BAD_REQUEST,
                    Some(&asker.view.task.arn),
                    "InvalidParameterException",
                    "UpdateTaskProtection: failed to read request",
                ),
            }
        }
        (_, ["fault", ..]) => {
            let arn = &asker.view.task.arn;
            let text = format!("enableFaultInjection is not enabled for task: {arn}");
            (StatusCode::BAD_REQUEST, json!({ "Error": text }))
        }
        _ => (StatusCode::NOT_FOUND, json!("404 page not found")),
    }
}
