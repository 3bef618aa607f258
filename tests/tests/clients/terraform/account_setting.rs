//! `aws_ecs_account_setting_default`.

use serde_json::{Value, json};

use super::{Provider, start};

impl Provider {
    /// `findEffectiveAccountSettingByName`: exactly one.
    fn find_setting(&mut self, name: &str) -> Value {
        let input = json!({ "effectiveSettings": true, "name": name });
        let listed = self.call("ListAccountSettings", &input);
        let settings = listed["settings"].as_array().unwrap();
        assert_eq!(settings.len(), 1, "{listed}");
        settings[0].clone()
    }
}

#[test]
fn a_setting_lives() {
    let (server, mut provider) = start();
    for (name, values, destroyed) in [
        ("containerInsights", ["enabled", "enhanced"], "disabled"),
        ("awsvpcTrunking", ["enabled", "enabled"], "disabled"),
        ("fargateTaskRetirementWaitPeriod", ["0", "14"], "7"),
    ] {
        for value in values {
            let input = json!({ "name": name, "value": value });
            let put = provider.call("PutAccountSettingDefault", &input);
            assert_eq!(put["setting"]["value"], value);
            let read = provider.find_setting(name);
            assert_eq!(
                (&read["name"], &read["value"]),
                (&json!(name), &json!(value))
            );
            // The id, and the attribute `principal_arn`.
            assert_eq!(read["principalArn"], "arn:aws:iam::000000000000:root");
        }
        let input = json!({ "name": name, "value": destroyed });
        provider.call("PutAccountSettingDefault", &input);
        assert_eq!(provider.find_setting(name)["value"], destroyed);
    }
    server.finish();
}

/// `resourceAccountSettingDefaultDelete` takes a refusal with this text for success.
#[test]
fn a_setting_that_cannot_be_disabled_is_destroyed_all_the_same() {
    let (server, mut provider) = start();
    for name in [
        "serviceLongArnFormat",
        "taskLongArnFormat",
        "containerInstanceLongArnFormat",
    ] {
        let input = json!({ "name": name, "value": "enabled" });
        provider.call("PutAccountSettingDefault", &input);
        assert_eq!(provider.find_setting(name)["value"], "enabled");
        let input = json!({ "name": name, "value": "disabled" });
        let refused = provider.try_call("PutAccountSettingDefault", &input);
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException");
        let text = "You can no longer disable";
        assert!(refused.message.contains(text), "{refused:?}");
    }
    server.finish();
}
