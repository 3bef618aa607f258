//! A look does a bounded amount of work.

use super::super::{STARTS_MAX, STOPS_MAX};
use super::world::World;

#[test]
fn a_look_starts_and_stops_a_bounded_number_and_asks_to_look_again() {
    let mut world = World::new();
    for machine in world.machines.values_mut() {
        machine.room = 1000;
    }
    world.obey("service desired=300");
    world.deploy(1);
    let mut started = Vec::new();
    for _ in 0..4 {
        let (plan, _) = world.look();
        started.push(plan.starts.len());
        let again = plan.look_again_at == Some(world.now.next());
        assert_eq!(again, started.iter().sum::<usize>() < 300, "{started:?}");
        world.now = world.now.next();
    }
    assert_eq!(started, [STARTS_MAX, STARTS_MAX, STARTS_MAX, 0]);
    world.obey("service desired=0");
    let (plan, _) = world.look();
    assert_eq!(plan.stops.len(), STOPS_MAX);
    assert_eq!(plan.look_again_at, Some(world.now.next()));
    let (plan, _) = world.look();
    assert_eq!(plan.stops.len(), 300 - STOPS_MAX);
}
