//! What the weather does in a step.

use berth_agent_proto::agent::Ended;

use super::World;

impl World {
    /// Faults of this step.
    pub(super) fn fault(&mut self) {
        let last = self.agents.len() as u64 - 1;
        if self.dice(self.weather.cuts) {
            let which = self.chance.between(0, last) as usize;
            self.cut(which, 60_000);
            self.notes.cover("fault: network cut");
        }
        if self.dice(self.weather.mass) {
            self.cut_all();
        }
        if self.dice(self.weather.power) {
            let which = self.chance.between(0, last) as usize;
            let until = self.now + self.chance.between(1_000, 200_000);
            self.drop_link(which);
            self.agents[which].power_off(self.now, until, &mut self.chance);
            self.notes.cover("fault: machine without power");
            self.notes
                .log(|| format!("machine {which} off until {until}"));
        }
        if self.dice(self.weather.restarts) {
            let which = self.chance.between(0, last) as usize;
            if self.now >= self.agents[which].off_until {
                self.drop_link(which);
                self.agents[which].restart(self.now, &mut self.chance);
                self.notes.cover("fault: agent restarted");
                self.notes.log(|| format!("agent {which} restarts"));
            }
        }
        if self.dice(self.weather.jumps) {
            let by = self.chance.between(0, 600_000) as i64 - 300_000;
            self.skew += by;
            self.notes.cover(if by < 0 {
                "fault: clock back"
            } else {
                "fault: clock ahead"
            });
            self.notes.log(|| format!("the clock jumps by {by} ms"));
        }
        if self.dice(self.weather.crashes) {
            self.crash("fault: server crashed between steps");
        }
    }

    pub(super) fn cut(&mut self, which: usize, most: u64) {
        let until = self.now + self.chance.between(500, most);
        let agent = &mut self.agents[which];
        agent.cut_until = agent.cut_until.max(until);
        agent.excuse.get_or_insert(self.now);
        self.notes
            .log(|| format!("agent {which} cut off until {until}"));
        // Half of the time both ends notice at once.
        if self.chance.between(0, 1) == 0 {
            self.drop_link(which);
        }
    }

    /// A switch of ours fails: nobody is to be given up for that, if there are enough agents to
    /// tell it from the end of a machine.
    pub(super) fn cut_all(&mut self) {
        let now = self.now;
        let tells = self
            .term
            .as_ref()
            .is_some_and(|term| term.knows_its_crowd(now));
        let until = self.now + self.chance.between(20_000, 60_000);
        for which in 0..self.agents.len() {
            let agent = &mut self.agents[which];
            agent.cut_until = agent.cut_until.max(until);
            if !tells {
                agent.excuse.get_or_insert(now);
            }
            self.drop_link(which);
        }
        self.notes.cover("fault: many cut together");
        self.notes.log(|| format!("all cut off until {until}"));
    }

    /// Both ends see that the connection broke.
    pub(super) fn drop_link(&mut self, which: usize) {
        let agent = &mut self.agents[which];
        let Some(generation) = agent.generation else {
            return;
        };
        agent.ended(self.now, &Ended::Lost);
        if let Some(term) = &mut self.term {
            term.leave(generation, self.now);
        }
    }
}
