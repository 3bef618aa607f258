//! Scenarios in a few words, and properties of any service.

mod blue_green;
mod bounds;
mod daemons;
mod moves;
mod properties;
mod rolling;
mod task_sets;
mod world;
mod zones;

use expect_test::Expect;
use world::World;

/// Obeys the lines of a scenario and compares what they show.
fn check(scenario: &str, expect: Expect) {
    let mut world = World::new();
    let mut out = String::new();
    for line in scenario
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let shown = world.obey(line);
        if !shown.is_empty() {
            out += &format!("> {line}\n{shown}");
        }
    }
    expect.assert_eq(&out);
}
