//! Suites against whole servers: the built program, real clients, real Docker.

mod bad_input;
mod commands;
mod docker_tasks;
mod python_clients;
mod simulated_agents;
