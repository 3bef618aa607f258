//! What agents say of their containers' health: only what differs from what is known is written
//! down, for agents repeat theirs every 20 s.

use berth_agent_proto::server::HealthReport;
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::task::{Health, Task};
use berth_state::{State, Tx};

/// Word of the health of an instance's containers, by task.
#[derive(Clone, Debug)]
pub struct HealthNews {
    instance: InstanceId,
    by_task: Vec<(TaskId, Vec<(String, Health)>)>,
}

impl HealthNews {
    /// What of these reports from an instance's agent differs from what `state` has.
    #[must_use]
    pub fn of(state: &State, instance: InstanceId, reports: &[HealthReport]) -> Self {
        let mut by_task: Vec<(TaskId, Vec<(String, Health)>)> = Vec::new();
        for report in reports {
            let id = EcsArn::parse(&report.task_arn).and_then(|arn| arn.last().parse().ok());
            let Some(id) = id else { continue };
            let entry = (report.container.clone(), report.health);
            match by_task.iter_mut().find(|(task, _)| *task == id) {
                Some((_, reports)) => reports.push(entry),
                None => by_task.push((id, vec![entry])),
            }
        }
        by_task.retain(|(id, reports)| changed(state, instance, *id, reports).is_some());
        Self { instance, by_task }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_task.is_empty()
    }

    /// Writes down what differs from the newest state.
    pub fn write(&self, tx: &mut Tx<'_>) {
        for (id, reports) in &self.by_task {
            if let Some(task) = changed(tx.state(), self.instance, *id, reports) {
                tx.put_task(task);
            }
        }
    }
}

/// The task with this health, when it is on this instance and that is news.
fn changed(
    state: &State,
    instance: InstanceId,
    id: TaskId,
    reports: &[(String, Health)],
) -> Option<Task> {
    let task = state.tasks.get(id);
    let task = task.filter(|task| task.instance == Some(instance))?;
    let reports: Vec<(&str, Health)> = reports
        .iter()
        .map(|(name, health)| (name.as_str(), *health))
        .collect();
    task.with_health(state.facts(task)?, &reports)
}
