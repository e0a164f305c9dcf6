//! A scene in which both engines run.

use std::sync::Mutex;

use tokio::task::JoinSet;

use crate::landing::lock;
use crate::scene::Scene;

/// The scene, and its engines. The controller can be killed and started again.
pub struct Running {
    /// The scene.
    pub scene: Scene,
    agents: Mutex<JoinSet<String>>,
    controller: Mutex<JoinSet<String>>,
}

impl Running {
    /// Starts them.
    pub fn start(scene: Scene) -> Self {
        let mut agents = JoinSet::new();
        agents.spawn(scene.agents());
        let running = Self {
            scene,
            agents: Mutex::new(agents),
            controller: Mutex::default(),
        };
        running.start_controller();
        running
    }

    /// Kills the controller, if it runs, and starts it anew: the same pod's next process.
    pub fn start_controller(&self) {
        self.kill_controller();
        let process = rectifier_controller::run(self.scene.controller("controller-0"));
        lock(&self.controller)
            .spawn(async move { format!("the controller ended: {:?}", process.await) });
    }

    /// Kills it: nothing of it goes on.
    pub fn kill_controller(&self) {
        *lock(&self.controller) = JoinSet::new();
    }

    /// Why an engine ended, if one did: none ever should.
    pub fn ended(&self) -> Option<String> {
        let ended = lock(&self.agents)
            .try_join_next()
            .or_else(|| lock(&self.controller).try_join_next());
        ended.map(|ended| format!("{ended:?}"))
    }
}
