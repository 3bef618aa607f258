//! Suites against whole servers: the built program, real clients, real Docker.

#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod bad_input;
mod commands;
mod docker_tasks;
mod doctor;
mod doctor_agent;
mod python_clients;
mod secrets;
mod services;
mod services_docker;
mod simulated_agents;
mod telemetry;
mod waiting;
