//! The bus with what services tell, which needs no state. That tasks and instances are told of
//! once for each version is shown with a whole server.

use berth_model::name::ServiceKey;
use berth_model::service::{Notice, NoticeKind};
use futures_util::FutureExt;
use serde_json::Value;

use super::*;

fn bus() -> Arc<EventBus> {
    EventBus::new(Arc::default(), CancellationToken::new())
}

fn notice(cluster: &str, kind: NoticeKind, reason: u64) -> Arc<ServiceNotice> {
    let service: ServiceKey = format!("123456789012/us-east-1/{cluster}/web")
        .parse()
        .unwrap();
    Arc::new(ServiceNotice {
        service,
        at: Timestamp::from_millis(1_704_067_200_000),
        notice: Notice {
            kind,
            name: "SERVICE_STEADY_STATE",
            deployment: None,
            tasks: Vec::new(),
            instances: Vec::new(),
            providers: Vec::new(),
            reason: Some(reason.to_string()),
        },
    })
}

/// Hands notices over and lets the bus tell them.
fn tell(bus: &EventBus, notices: impl IntoIterator<Item = Arc<ServiceNotice>>) {
    let published = Published {
        notices: notices.into_iter().collect(),
        ..Published::default()
    };
    bus.published(&published);
    let told = std::mem::take(&mut *bus.told());
    let events = Shown::default().events(&State::default(), told, &[], Timestamp::default());
    bus.out().tell(events);
}

fn filter() -> Filter {
    Filter {
        scope: "123456789012/us-east-1".parse().unwrap(),
        cluster: None,
        kinds: Vec::new(),
    }
}

fn numbered(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Arc<ServiceNotice>> {
    numbers.map(|number| notice("default", NoticeKind::ActionInfo, number))
}

/// Everything that the listener can have now, as the reasons in it; `lost N` for a gap.
fn heard(listener: &mut Listener) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(Some(lines)) = listener.next().now_or_never() {
        for line in lines.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
            let event: Value = serde_json::from_slice(line).unwrap();
            heard.push(match event["detail-type"].as_str().unwrap() {
                "Berth Events Lost" => format!("lost {}", event["detail"]["lost"]),
                _ => event["detail"]["reason"].as_str().unwrap().to_owned(),
            });
        }
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_listener_hears_what_was_and_what_comes_each_once() {
    let bus = bus();
    tell(&bus, numbered(0..3));
    let mut follows = Listener::new(&bus, filter(), true).unwrap();
    let mut looks = Listener::new(&bus, filter(), false).unwrap();
    tell(&bus, numbered(3..5));
    assert_eq!(heard(&mut follows), ["0", "1", "2", "3", "4"]);
    assert_eq!(heard(&mut looks), ["0", "1", "2"]);
    assert_eq!(looks.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_listener_hears_of_its_own_account_region_cluster_and_kinds() {
    let bus = bus();
    let other = |change: &dyn Fn(&mut Filter)| {
        let mut filter = filter();
        change(&mut filter);
        Listener::new(&bus, filter, true).unwrap()
    };
    let mut blue = other(&|f| f.cluster = Some("blue".parse().unwrap()));
    let mut deployments = other(&|f| f.kinds = vec![EventKind::Deployment]);
    let mut elsewhere = other(&|f| f.scope = "123456789012/eu-west-1".parse().unwrap());
    tell(
        &bus,
        [
            notice("default", NoticeKind::ActionWarn, 0),
            notice("blue", NoticeKind::ActionInfo, 1),
            notice("blue", NoticeKind::DeploymentError, 2),
        ],
    );
    assert_eq!(heard(&mut blue), ["1", "2"]);
    assert_eq!(heard(&mut deployments), ["2"]);
    assert!(heard(&mut elsewhere).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_falls_behind_is_told_how_much_it_missed() {
    let bus = bus();
    let mut slow = Listener::new(&bus, filter(), true).unwrap();
    let behind = u64::try_from(BEHIND_MAX).unwrap();
    tell(&bus, numbered(0..behind + 10));
    let heard = heard(&mut slow);
    assert_eq!(heard.first().unwrap(), "lost 10");
    assert_eq!(heard[1], "10");
    assert_eq!(heard.len(), BEHIND_MAX + 1);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_counted_and_told_of() {
    let bus = bus();
    let mut listener = Listener::new(&bus, filter(), true).unwrap();
    let published = Published {
        notices: numbered(0..u64::try_from(WAITING_MAX).unwrap() + 7).collect(),
        ..Published::default()
    };
    bus.published(&published);
    let told = std::mem::take(&mut *bus.told());
    assert_eq!((told.waiting.len(), told.lost), (WAITING_MAX, 7));
    let told = Told {
        lost: told.lost,
        ..Told::default()
    };
    let events = Shown::default().events(&State::default(), told, &[], Timestamp::default());
    bus.out().tell(events);
    assert_eq!(heard(&mut listener), ["lost 7"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_and_who_listens_is_bounded() {
    let bus = bus();
    let kept = u64::try_from(RECENT_MAX).unwrap();
    tell(&bus, numbered(0..kept + 5));
    let mut late = Listener::new(&bus, filter(), false).unwrap();
    let heard = heard(&mut late);
    assert_eq!((heard.len(), heard[0].as_str()), (RECENT_MAX, "5"));
    drop(late);
    let listeners: Vec<_> = (0..LISTENERS_MAX)
        .map(|_| Listener::new(&bus, filter(), true).unwrap())
        .collect();
    assert!(Listener::new(&bus, filter(), true).is_none());
    drop(listeners);
    assert!(Listener::new(&bus, filter(), true).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_silent_bus_keeps_the_connection_alive_and_ends_with_its_term() {
    let bus = bus();
    let mut listener = Listener::new(&bus, filter(), true).unwrap();
    assert_eq!(listener.next().await.as_deref(), Some(&b"\n"[..]));
    bus.ended.cancel();
    assert_eq!(listener.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_once_and_an_instance_is_told_of_after_a_rest() {
    let mut told = Told::default();
    let (task, instance) = (TaskId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]));
    for _ in 0..3 {
        told.take_in(&Published {
            changes: vec![
                Changed::Task(task, Some(instance)),
                Changed::Connection(instance),
            ],
            ..Published::default()
        });
    }
    assert_eq!((told.waiting.len(), told.instances.len()), (1, 1));
    let mut queue = Queue::new(INSTANCE_EVERY);
    queue.add(instance, 5);
    assert_eq!(queue.take(5, usize::MAX), [instance]);
    queue.add(instance, 6);
    assert!(queue.take(1_004, usize::MAX).is_empty());
    assert_eq!(queue.take(1_005, usize::MAX), [instance]);
}
