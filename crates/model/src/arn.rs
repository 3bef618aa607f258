//! ARNs: rendered from keys, parsed into keys. Records hold none.
//!
//! The forms are those of reference §1.8. The partition is always `aws`.

use std::fmt;

use crate::id::{AccountId, ContainerId, InstanceId, ServiceDeploymentId, TaskId};
use crate::name::{
    ClusterKey, ClusterName, DefinitionKey, Family, Region, Scope, ServiceKey, ServiceName,
};
use crate::scheduler::DeploymentId;

/// An ARN of the service `ecs`, parsed as far as scope and resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsArn<'a> {
    /// The account and region that it names.
    pub scope: Scope,
    /// The kind of resource, such as `task`.
    pub kind: &'a str,
    /// What follows the kind and its slash.
    pub rest: &'a str,
}

impl<'a> EcsArn<'a> {
    /// Parses `arn:<partition>:ecs:<region>:<account>:<kind>/<rest>`; `None` for anything else.
    #[must_use]
    pub fn parse(raw: &'a str) -> Option<EcsArn<'a>> {
        let mut parts = raw.splitn(6, ':');
        let (prefix, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if prefix != "arn" || service != "ecs" {
            return None;
        }
        let (kind, rest) = resource.split_once('/')?;
        let scope = Scope {
            account: account.parse::<AccountId>().ok()?,
            region: region.parse::<Region>().ok()?,
        };
        Some(EcsArn { scope, kind, rest })
    }

    /// The cluster that a cluster ARN, or a long task, instance or service ARN, names.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterName> {
        let name = match self.kind {
            "cluster" => self.rest,
            _ => self.rest.split_once('/')?.0,
        };
        name.parse().ok()
    }

    /// What follows the last slash: an id or a name.
    #[must_use]
    pub fn last(&self) -> &'a str {
        self.rest
            .rsplit_once('/')
            .map_or(self.rest, |(_, last)| last)
    }
}

/// Whether `raw` is meant as an ARN.
#[must_use]
pub fn is_arn(raw: &str) -> bool {
    raw.starts_with("arn:")
}

impl Scope {
    fn arn(&self, resource: fmt::Arguments<'_>) -> String {
        format!("arn:aws:ecs:{}:{}:{}", self.region, self.account, resource)
    }

    /// `arn:aws:ecs:<region>:<account>:capacity-provider/<name>`.
    #[must_use]
    pub fn capacity_provider_arn(&self, name: &str) -> String {
        self.arn(format_args!("capacity-provider/{name}"))
    }

    /// `arn:aws:iam::<account>:root`, the principal of account-wide settings.
    #[must_use]
    pub fn root_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account)
    }
}

impl ClusterKey {
    /// `arn:aws:ecs:<region>:<account>:cluster/<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        self.scope.arn(format_args!("cluster/{}", self.name))
    }

    /// `…:task/<cluster>/<id>`.
    #[must_use]
    pub fn task_arn(&self, task: TaskId) -> String {
        self.scope.arn(format_args!("task/{}/{task}", self.name))
    }

    /// `…:container/<cluster>/<task id>/<uuid>`.
    #[must_use]
    pub fn container_arn(&self, task: TaskId, container: ContainerId) -> String {
        self.scope.arn(format_args!(
            "container/{}/{task}/{}",
            self.name,
            container.to_uuid_text()
        ))
    }

    /// `…:container-instance/<cluster>/<id>`.
    #[must_use]
    pub fn instance_arn(&self, instance: InstanceId) -> String {
        self.scope
            .arn(format_args!("container-instance/{}/{instance}", self.name))
    }

    /// `…:service/<cluster>/<name>`.
    #[must_use]
    pub fn service_arn(&self, service: &ServiceName) -> String {
        self.scope
            .arn(format_args!("service/{}/{service}", self.name))
    }
}

impl ServiceKey {
    /// `…:service/<cluster>/<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        self.cluster.service_arn(&self.name)
    }

    fn part_arn(&self, kind: &str, id: fmt::Arguments<'_>) -> String {
        let (cluster, name) = (&self.cluster.name, &self.name);
        self.cluster
            .scope
            .arn(format_args!("{kind}/{cluster}/{name}/{id}"))
    }

    /// `…:service-revision/<cluster>/<name>/<digits>`.
    #[must_use]
    pub fn revision_arn(&self, id: DeploymentId) -> String {
        self.part_arn("service-revision", format_args!("{}", id.digits()))
    }

    /// `…:service-deployment/<cluster>/<name>/<id>`.
    #[must_use]
    pub fn deployment_arn(&self, id: ServiceDeploymentId) -> String {
        self.part_arn("service-deployment", format_args!("{id}"))
    }

    /// `…:task-set/<cluster>/<name>/ecs-svc/<digits>`.
    #[must_use]
    pub fn task_set_arn(&self, id: DeploymentId) -> String {
        self.part_arn("task-set", format_args!("{id}"))
    }
}

impl DefinitionKey {
    /// `…:task-definition/<family>:<revision>`.
    #[must_use]
    pub fn arn(&self) -> String {
        self.scope.arn(format_args!(
            "task-definition/{}:{}",
            self.family, self.revision
        ))
    }
}

/// A task definition as a request names it: `family`, `family:revision`, or either as an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionName {
    /// The account and region, if an ARN named them.
    pub scope: Option<Scope>,
    /// The family.
    pub family: Family,
    /// The revision, if one was named.
    pub revision: Option<u32>,
}

impl DefinitionName {
    /// Parses the forms of reference §1.9; `None` for anything else.
    #[must_use]
    pub fn parse(raw: &str) -> Option<DefinitionName> {
        let (scope, name) = if is_arn(raw) {
            let arn = EcsArn::parse(raw)?;
            if arn.kind != "task-definition" {
                return None;
            }
            (Some(arn.scope), arn.rest)
        } else {
            (None, raw)
        };
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => (family, Some(revision.parse().ok().filter(|n| *n > 0)?)),
            None => (name, None),
        };
        Some(DefinitionName {
            scope,
            family: family.parse().ok()?,
            revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> ClusterKey {
        "123456789012/us-east-1/default".parse().unwrap()
    }

    #[test]
    fn arns_have_the_long_format() {
        let task: TaskId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert_eq!(
            cluster().task_arn(task),
            "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"
        );
        assert_eq!(
            cluster().arn(),
            "arn:aws:ecs:us-east-1:123456789012:cluster/default"
        );
    }

    #[test]
    fn a_task_arn_names_its_cluster_and_id() {
        let raw = "arn:aws:ecs:us-east-1:123456789012:task/default/0123";
        let arn = EcsArn::parse(raw).unwrap();
        assert_eq!((arn.kind, arn.last()), ("task", "0123"));
        assert_eq!(arn.cluster(), Some(cluster().name));
        assert_eq!(arn.scope, cluster().scope);
    }

    #[test]
    fn an_old_short_arn_parses_without_a_cluster() {
        let arn = EcsArn::parse("arn:aws:ecs:us-east-1:123456789012:task/0123").unwrap();
        assert_eq!((arn.last(), arn.cluster()), ("0123", None));
    }

    #[test]
    fn other_services_and_broken_arns_are_refused() {
        for raw in [
            "",
            "arn:aws:s3:::bucket",
            "arn:aws:ecs:us-east-1:12:task/a",
            "task/a",
        ] {
            assert_eq!(EcsArn::parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn definitions_are_named_by_family_revision_or_arn() {
        let parse = |raw| DefinitionName::parse(raw).map(|n| (n.family.to_string(), n.revision));
        assert_eq!(parse("web"), Some(("web".into(), None)));
        assert_eq!(parse("web:3"), Some(("web".into(), Some(3))));
        let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3";
        assert_eq!(parse(arn), Some(("web".into(), Some(3))));
        for bad in [
            "",
            "web:",
            "web:0",
            "web:x",
            "a b",
            "arn:aws:ecs:x:1:task-definition/web:3",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
