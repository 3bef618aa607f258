//! Orders made, found and dropped; refusals explained.

use berth_model::text::Text;

use super::change::group_key;
use super::criteria::Criteria;
use super::order::{Order, Shape, is_of_one_group};
use super::pool::Pool;
use super::slot::View;
use super::{EXPRESSIONS_MAX, Fleet, NOTES_MAX, ORDERS_MAX};
use crate::query::Expression;
use crate::refusal::{REFUSALS_MAX, Reason, Refusal};
use crate::request::{Placement, Request};

impl Fleet {
    /// Where in the pool the order for requests like this one is; it is made if there is none.
    pub(super) fn order_for(&mut self, pool_at: u32, request: &Request<'_>) -> usize {
        self.uses += 1;
        let key = is_of_one_group(request).then(|| group_key(request.cluster, request.group));
        // A group that has no number has neither tasks nor an order of its own.
        let group = key.as_ref().and_then(|key| self.groups.find(key));
        if group.is_some() == key.is_some()
            && let Some(pool) = self.pools.get_mut(pool_at)
            && let Some(at) = pool
                .orders
                .iter()
                .position(|order| order.shape.is_of(request, group))
        {
            pool.orders[at].used = self.uses;
            return at;
        }
        self.make_room_for_an_order(pool_at);
        let group = key.map(|key| self.groups.acquire(&key));
        let criteria = self.criteria(request);
        let mut order = Order::new(pool_at, Shape::of(request, group), criteria);
        order.used = self.uses;
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let pool = self.pools.get_mut(pool_at);
        pool.map_or(0, |pool| pool.add_order(order, view))
    }

    /// Drops the orders not used for longest until one more over this pool stays within limits.
    fn make_room_for_an_order(&mut self, pool_at: u32) {
        let needed = self.pools.get(pool_at).map_or(0, Pool::len);
        loop {
            let orders = || {
                let pools = self.pools.iter();
                pools.flat_map(|(at, pool)| pool.orders.iter().map(move |order| (at, order)))
            };
            let notes: usize = orders().map(|(_, order)| order.len()).sum();
            let oldest = orders().min_by_key(|(_, order)| order.used);
            let Some((at, used)) = oldest.map(|(at, order)| (at, order.used)) else {
                return;
            };
            if orders().count() < ORDERS_MAX && notes + needed <= NOTES_MAX {
                return;
            }
            let dropped = self.pools.get_mut(at).and_then(|pool| {
                let place = pool.orders.iter().position(|order| order.used == used)?;
                Some(pool.orders.swap_remove(place))
            });
            if let Some(order) = dropped {
                self.release(&order.criteria, order.shape.group);
            }
        }
    }

    /// Compiles the hard side of a request. What it holds is given back by
    /// [`release`](Self::release).
    pub(super) fn criteria(&mut self, request: &Request<'_>) -> Criteria {
        let required = request.required_attributes.iter();
        let group = group_key(request.cluster, request.group);
        Criteria {
            required: required.map(|name| self.names.acquire(name)).collect(),
            member_of: request
                .member_of
                .iter()
                .map(|raw| self.expression(raw))
                .collect(),
            zones: request.zones.map(Into::into),
            ports: request.demand.ports.as_slice().into(),
            distinct_from: request
                .distinct_instance
                .then(|| self.groups.acquire(&group)),
        }
    }

    /// Gives back the numbers that an order's shape and criteria hold.
    pub(super) fn release(&mut self, criteria: &Criteria, group: Option<u32>) {
        criteria
            .required
            .iter()
            .for_each(|name| self.names.release(*name));
        for group in criteria.distinct_from.into_iter().chain(group) {
            self.groups.release(group);
        }
    }

    fn expression(&mut self, raw: &Text) -> Option<Expression> {
        if let Some(known) = self.expressions.get(raw) {
            return known.clone();
        }
        if self.expressions.len() >= EXPRESSIONS_MAX {
            self.expressions.clear();
        }
        let expression = Expression::parse(raw).ok();
        self.expressions.insert(raw.clone(), expression.clone());
        expression
    }
}

/// The answer for an instance that was found to fit.
pub(super) fn placement(view: View<'_>, at: u32, request: &Request<'_>) -> Option<Placement> {
    Some(Placement {
        instance: view.slots.get(at)?.instance,
        gpus: choose_gpus(view, at, request.demand.gpus),
    })
}

/// The first GPUs that are free, as many as are wanted.
pub(super) fn choose_gpus(view: View<'_>, at: u32, wanted: u32) -> Vec<Text> {
    if wanted == 0 {
        return Vec::new();
    }
    let registration = view
        .slots
        .get(at)
        .and_then(|slot| slot.registration.as_ref());
    let machine = registration.and_then(|registration| view.machine(registration));
    let free = machine.map_or_else(Vec::new, |machine| machine.free_gpus(view.slots));
    free.into_iter().take(wanted as usize).cloned().collect()
}

/// Why the instance cannot take the request's task.
pub(super) fn refusal(
    view: View<'_>,
    at: u32,
    criteria: &Criteria,
    request: &Request<'_>,
) -> Option<Reason> {
    let found = view.slots.get(at).and_then(|slot| {
        let registration = slot.registration.as_ref()?;
        Some((slot, registration, view.machine(registration)?))
    });
    let Some((slot, registration, machine)) = found else {
        return Some(Reason::Missing);
    };
    criteria.refusal(view, slot, registration, machine, request.demand)
}

/// Why placement does not choose the instance: it cannot take the task, or it is kept free.
pub(super) fn disfavour(
    view: View<'_>,
    at: u32,
    criteria: &Criteria,
    request: &Request<'_>,
) -> Option<Reason> {
    refusal(view, at, criteria, request).or_else(|| {
        let slot = view.slots.get(at)?;
        let machine = view.machine(slot.registration.as_ref()?)?;
        machine.held.then_some(Reason::Held)
    })
}

/// The reasons of the first candidates, no more than can be told.
pub(super) fn diagnose(
    view: View<'_>,
    pool: &Pool,
    criteria: &Criteria,
    request: &Request<'_>,
) -> Refusal {
    let active = pool.active();
    if active.is_empty() {
        return Refusal::NoInstances;
    }
    let reasons = active
        .iter()
        .take(REFUSALS_MAX)
        .filter_map(|(id, at)| Some((*id, disfavour(view, *at, criteria, request)?)))
        .collect();
    Refusal::Rejected {
        reasons,
        candidates: active.len(),
    }
}
