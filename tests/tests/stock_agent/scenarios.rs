//! What is played through.

mod outages;
mod restarts;
mod roles;
mod tasks;
mod tls;

use crate::Scenario;

/// All scenarios, in the order in which they are run.
pub(crate) const ALL: &[Scenario] = &[
    scenario("register", tasks::register),
    scenario("ten-tasks", tasks::ten),
    scenario("exit-codes", tasks::exit_codes),
    scenario("ports", tasks::ports),
    scenario("health-checks", tasks::health),
    scenario("metrics", tasks::metrics),
    scenario("slow-stop", tasks::slow_stop),
    scenario("image-not-pullable", tasks::no_image),
    scenario("agent-killed", restarts::agent_killed),
    scenario("server-killed", restarts::server_killed),
    scenario("drain", restarts::drain),
    scenario("emptied-server", restarts::emptied),
    scenario("task-role", roles::task_role),
    scenario("over-tls", tls::over_tls),
    scenario("restored-backup", restarts::restored),
    long("thousand-tasks", tasks::thousand),
    long("cut", outages::cut),
    long("server-stopped", outages::stopped),
    long("server-outage", outages::outage),
    long("heartbeats", outages::heartbeats),
];

const fn scenario(name: &'static str, run: fn(&crate::Setting)) -> Scenario {
    Scenario {
        name,
        long: false,
        run,
    }
}

const fn long(name: &'static str, run: fn(&crate::Setting)) -> Scenario {
    Scenario {
        name,
        long: true,
        run,
    }
}
