//! The real controller in the world: what it does about the pods of a node that is replaced, and what it wants of the
//! replacement, and of the server that it is to be like, before.

use std::time::Duration;

use anyhow::Result;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::scene;

use crate::stage::Stage;
use crate::{drains, likeness, policy, room, uncommitted};

/// Stories in the world, each a test.
macro_rules! played {
    ($($module:ident::$name:ident)+) => {$(
        #[test]
        fn $name() -> Result<()> {
            let policies = policy::shipped()?;
            in_virtual_time(async move { $module::$name(Stage::set(policies).await?).await })?
        }
    )+};
}

played! {
    drains::pods_leave_by_priority_behind_their_budgets
    uncommitted::a_node_whose_pods_would_be_lost_is_not_touched_until_that_is_allowed
    drains::a_drain_that_takes_too_long_is_shown_to_a_person
    drains::a_drain_that_takes_too_long_deletes_as_a_last_resort_where_the_pool_says_so
    drains::two_budgets_over_one_pod_are_told_and_end_when_one_goes
    drains::the_server_goes_when_the_pods_are_ready_elsewhere
    drains::pods_that_do_not_come_up_elsewhere_hold_the_server_for_a_while_only
    drains::load_balancers_hear_of_it_first_and_have_their_time
    uncommitted::a_replacement_is_committed_when_it_has_the_drivers_and_daemons
    likeness::what_cannot_be_copied_is_named_before_anything_is_touched
    likeness::a_server_that_boots_from_a_volume_is_replaced_where_the_pool_names_an_image
    likeness::an_image_that_is_gone_is_no_base
    likeness::a_repair_that_waits_for_a_person_does_not_ask_the_cloud_all_the_time
    likeness::what_the_pool_says_of_new_servers_holds_and_all_else_is_copied
    likeness::when_a_zone_is_full_the_pools_next_one_is_tried
    likeness::a_cloud_that_is_full_is_waited_for_and_uses_up_no_attempt
    likeness::a_name_that_somebody_has_is_not_taken
    likeness::the_pools_interfaces_take_the_place_of_the_sick_servers
    uncommitted::a_pod_on_a_replacement_that_is_taken_back_leaves_it_within_its_budget
    room::a_server_goes_first_where_no_host_has_room_for_two
    room::nothing_goes_first_unless_the_pool_says_so
    room::another_zone_comes_before_the_servers_end
    room::what_goes_first_is_given_back_to_whoever_uncordons_it
    room::a_problem_that_goes_away_in_the_drain_calls_it_off
    room::whoever_takes_the_room_is_waited_for
    room::a_node_whose_object_goes_with_its_server_is_replaced_by_what_was_kept
    room::a_dead_machine_goes_first_when_its_host_has_stopped_it
    room::a_budget_that_lets_no_pod_go_holds_it_before_its_end
    room::a_quota_that_is_used_up_is_told_and_waited_for
    room::a_server_goes_first_where_the_quota_leaves_no_room_for_two
}

/// An eviction of many pods is under way for seconds there.
#[test]
fn the_stop_switch_holds_the_rest_of_an_eviction_that_is_under_way() -> Result<()> {
    let policies = policy::shipped()?;
    let slow = scene::Options {
        delay: Duration::from_millis(300)..=Duration::from_millis(600),
        ..scene::Options::default()
    };
    in_virtual_time(async move {
        let stage = Stage::set_as(slow, policies).await?;
        drains::the_stop_switch_holds_the_rest_of_an_eviction(stage).await
    })?
}
