//! What the log's commands and tables are called in Chinese: the one place that names them.

/// Commands as audit events name them.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("account.add_contact", "添加联系方式"),
    ("account.ask_reset", "申请用验证码重设密码"),
    ("account.begin_factor", "准备绑定动态验证码"),
    ("account.begin_identity", "准备关联统一身份"),
    ("account.change_leave", "更改请假"),
    ("account.change_password", "修改密码"),
    ("account.confirm_factor", "绑定动态验证码"),
    ("account.confirm_roles", "核实本人，恢复角色"),
    ("account.create", "开立账号"),
    ("account.end_leave", "提前结束请假"),
    ("account.end_contact", "停用联系方式"),
    ("account.grant", "授予角色"),
    ("account.link_identity", "关联统一身份"),
    ("account.register_leave", "登记请假"),
    ("account.renew_recovery", "更换备用码"),
    ("account.reset_at_window", "窗口重置密码"),
    ("account.reset_by_code", "用验证码重设密码"),
    ("account.reset_factor", "解除动态验证码"),
    ("account.reset_password", "重置密码"),
    ("account.set_state", "启用或停用账号"),
    ("account.unlink_identity", "解除关联统一身份"),
    ("account.verify_contact", "确认联系方式"),
    ("admin.init", "设立管理员"),
    ("article.create", "新建文章"),
    ("article.edit", "修改文章"),
    ("article.import", "导入文章"),
    ("article.publish", "发布文章"),
    ("article.unpublish", "撤下文章"),
    ("bank_account.approve", "审核通过收款账户"),
    ("bank_account.end", "停用收款账户"),
    ("bank_account.enter", "录入收款账户"),
    ("bank_account.refuse", "退回收款账户"),
    ("bank_account.reveal", "查看完整账号"),
    ("batch.clear_renaming", "核实更名"),
    ("batch.create", "新建批次"),
    ("batch.finalise", "批次转入待拨付"),
    ("batch.finalise_entry", "单笔转入待拨付"),
    ("batch.hold_entry", "暂缓拨付"),
    ("batch.notice", "批次进入公示"),
    ("batch.release_hold", "解除暂缓"),
    ("batch.remove_entry", "移出批次"),
    ("budget.adjust", "调整预算指标"),
    ("budget.create", "下达预算指标"),
    ("case.answer_correction", "补正材料"),
    ("case.ask_correction", "要求补正"),
    ("case.attach", "上传办件材料"),
    ("case.await_answer", "公示期满，等待异议答复"),
    ("case.complete_task", "办结环节"),
    ("case.inspect", "记录现场核查"),
    ("case.open", "打开办件"),
    ("case.open_file", "查看办件材料"),
    ("case.resume", "恢复计时"),
    ("case.reveal", "查看办件中的个人信息"),
    ("case.submit", "提交申请"),
    ("case.suspend", "暂停计时"),
    ("case.release_task", "放回环节"),
    ("case.take_task", "领取环节"),
    ("case.take_over_draft", "草稿转为办件"),
    ("case.timer", "到期自动处理"),
    ("case.withdraw", "撤回申请"),
    ("city.found", "建立城市"),
    ("clock.confirm", "确认系统时钟"),
    ("department.amend", "更改部门"),
    ("department.create", "登记部门"),
    ("draft.save", "保存草稿"),
    ("draft.give_up", "放弃草稿"),
    ("draft.take_out_file", "移除草稿材料"),
    ("item.adopt", "采用事项新版本"),
    ("item.close", "停办事项"),
    ("item.offer", "开办事项"),
    ("item.publish", "发布事项版本"),
    ("job.work", "执行后台任务"),
    ("message.mark_read", "消息标为已读"),
    ("keys.lookups", "开始轮换检索密钥"),
    ("keys.lookups_done", "检索密钥轮换完成"),
    ("keys.make", "建立数据密钥"),
    ("keys.rehash", "重新计算检索值"),
    ("keys.retire", "停用旧主密钥"),
    ("keys.rotate", "更换主密钥"),
    ("keys.wrap", "数据密钥改由新主密钥保护"),
    ("list.export", "导出名单"),
    ("log.accept", "认可现有的日志"),
    ("log.rebind", "升级后重新绑定记录"),
    ("notice.end", "结束公示"),
    ("notice.publish", "发布公示"),
    ("objection.answer", "答复异议"),
    ("objection.take_over", "接手异议"),
    ("objection.hand_over", "转交异议"),
    ("objection.note", "记录异议核实情况"),
    ("objection.open_file", "查看异议材料"),
    ("objection.submit", "提交异议"),
    ("objection.take_up", "受理异议"),
    ("objection.unmask", "查看异议人信息"),
    ("party.amend", "变更主体信息"),
    ("party.look_up", "按证件号码查找主体"),
    ("party.open_account", "为主体开通账号"),
    ("party.register", "登记主体"),
    ("party.unmask", "查看主体个人信息"),
    ("payment.create_file", "生成拨付文件"),
    ("payment.download", "下载拨付文件"),
    ("payment.settle", "登记银行回单"),
    ("personal.download", "下载个人信息副本"),
    ("personal.erase", "删除个人信息"),
    ("personal.expire", "个人信息副本到期"),
    ("personal.export", "生成个人信息副本"),
    ("personal.refuse_erasure", "不予删除个人信息"),
    ("personal.request_erasure", "申请删除个人信息"),
    ("personal.request_export", "申请个人信息副本"),
    ("policy.publish", "发布政策版本"),
    ("session.close", "退出登录"),
    ("session.end", "退出自己的其他登录"),
    ("session.open", "登录"),
    ("session.refuse", "登录失败"),
    ("session.see", "会话续期"),
];

/// Tables an event can be about.
pub(super) const TABLES: &[(&str, &str)] = &[
    ("account", "账号"),
    ("article", "文章"),
    ("audit_head", "日志"),
    ("bank_account", "收款账户"),
    ("batch", "批次"),
    ("budget_line", "预算指标"),
    ("casework", "办件"),
    ("city", "城市"),
    ("data_key", "密钥"),
    ("department", "部门"),
    ("draft", "草稿"),
    ("item", "事项"),
    ("item_version", "事项版本"),
    ("notice", "公示"),
    ("objection", "异议"),
    ("party", "主体"),
    ("payment_file", "拨付文件"),
    ("policy_version", "政策版本"),
];

/// The questions people ask daily: the filter's code, and what it is called. A code is a command or
/// one of [`GROUPS`].
pub(super) const DAILY: &[(&str, &str)] = &[
    ("session.refuse", "登录失败"),
    ("personal", "查看个人信息"),
    ("list.export", "导出名单"),
    ("accounts", "账号与角色变动"),
];

/// Commands that one question asks for together.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "personal",
        &[
            "bank_account.reveal",
            "case.open_file",
            "case.reveal",
            "objection.open_file",
            "objection.unmask",
            "party.look_up",
            "party.unmask",
            "personal.download",
            "personal.request_export",
        ],
    ),
    (
        "accounts",
        &[
            "account.confirm_factor",
            "account.confirm_roles",
            "account.create",
            "account.grant",
            "account.link_identity",
            "account.reset_at_window",
            "account.reset_by_code",
            "account.reset_factor",
            "account.reset_password",
            "account.set_state",
            "account.unlink_identity",
            "admin.init",
        ],
    ),
];

/// The commands a filter's code stands for; none where it stands for nothing.
pub(super) fn commands_of(code: &str) -> Vec<&'static str> {
    if let Some((_, commands)) = GROUPS.iter().find(|(group, _)| *group == code) {
        return commands.to_vec();
    }
    COMMANDS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name == code)
        .collect()
}

/// Kinds of commands as the filter groups them: the noun of the command and its word.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("session", "登录"),
    ("account", "账号"),
    ("admin", "管理员"),
    ("department", "部门"),
    ("party", "主体"),
    ("personal", "个人信息"),
    ("bank_account", "收款账户"),
    ("draft", "草稿"),
    ("case", "办件"),
    ("batch", "批次"),
    ("notice", "公示"),
    ("objection", "异议"),
    ("budget", "预算"),
    ("payment", "拨付"),
    ("item", "事项"),
    ("policy", "政策"),
    ("article", "文章"),
    ("message", "消息"),
    ("list", "名单"),
    ("job", "后台任务"),
    ("keys", "密钥"),
    ("log", "日志"),
    ("city", "城市"),
    ("clock", "系统时钟"),
];

/// Actors without an account, as the log names them.
const ACTORS: &[(&str, &str)] = &[("public", "公众（未登录）"), ("system", "系统")];

/// The word for an actor without an account.
pub(super) fn actor(label: &str) -> String {
    match label.strip_prefix("console:") {
        Some(user) => format!("控制台（{user}）"),
        None => find(ACTORS, label).to_owned(),
    }
}

/// The name in the log of the actor with this word.
pub(super) fn actor_named(word: &str) -> Option<&'static str> {
    let named = |(_, known): &&(&str, &str)| known.split('（').next() == Some(word);
    ACTORS.iter().find(named).map(|(label, _)| *label)
}

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident { $($code:literal => $word:literal,)* })*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(code: &str) -> &str {
            match code { $($code => $word,)* other => other }
        }
    )*};
}

values! {
    /// Why a log-in failed.
    refused {
        "password" => "密码不正确",
        "shut" => "账号已锁定、暂停登录或一次性密码已过期",
        "code" => "动态验证码不正确",
        "reset-code" => "重设密码的验证码不正确",
        "old-password" => "修改密码时原密码不正确",
        "no-account" => "没有这个账号",
        "unlinked" => "统一身份没有关联账号",
        "provider" => "统一身份平台的答复不可信",
        "rate" => "尝试过于频繁，没有核对（每分钟只记一次）",
    }
    /// By what somebody logged in.
    through {
        "password" => "密码",
        "totp" => "密码和动态验证码",
        "recovery" => "密码和备用码",
        "provider" => "统一身份",
    }
    /// Why a clock stood still.
    cause {
        "correction" => "补正",
        "notice" => "公示",
    }
    /// How an application came.
    channel {
        "online" => "网上",
        "window" => "窗口代办",
    }
    /// Which correction was asked for.
    correction {
        "incomplete" => "材料不齐",
        "wrong" => "内容有误",
    }
    /// Who objected.
    objector {
        "organisation" => "单位",
        "person" => "个人",
    }
    /// Classes of personal values.
    personal {
        "id_number" => "证件号码",
        "phone" => "电话",
        "address" => "地址",
        "bank_account" => "银行账号",
        "health" => "健康信息",
    }
    /// Tasks of a procedure, as packages name them.
    task {
        "accept" => "受理",
        "correct" => "补正材料",
        "correct_filing" => "更正备案或材料",
        "decide" => "审批",
        "examine" => "初审",
        "inspect" => "现场核查",
        "notice" => "公示",
        "pay" => "兑付",
        "supplement" => "受理前补正",
    }
    /// Outcomes of tasks, as packages name them.
    outcome {
        "accept" => "受理",
        "approve" => "同意",
        "correct" => "要求补正",
        "final" => "公示无异议",
        "paid" => "已兑付",
        "pass" => "通过",
        "refuse" => "不予受理",
        "reject" => "不予支持",
        "removed" => "移出名单",
        "return" => "退回重审",
        "submit" => "提交补正",
    }
    /// Slots of papers, as packages name them.
    slot {
        "filing_notice" => "备案通知书",
        "grid_acceptance" => "并网验收单",
        "identity_card" => "身份证",
        "licence" => "营业执照",
        "meter_reading" => "抄表单",
        "sealed_document" => "盖章的异议书",
    }
}

/// The word for a command; the name itself where it has none, which a test refuses.
pub(super) fn command(name: &str) -> &str {
    find(COMMANDS, name)
}

/// The word for a table; the name itself where it has none, which a test refuses.
pub(super) fn table(name: &str) -> &str {
    find(TABLES, name)
}

fn find<'a>(words: &[(&str, &'static str)], name: &'a str) -> &'a str {
    words
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(name, |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The sources of the program that write events, tests and the demonstration left out.
    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains("tests")
                || ["demo", "store", "log", "dossier.rs"].contains(&name.as_str())
            {
                continue;
            }
            if path.is_dir() {
                sources(&path, found);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                found.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }

    fn all_sources() -> Vec<String> {
        let mut found = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        sources(&folder, &mut found);
        // Of the store itself only the making and change of keys, what an upgrade does and what an
        // operator says of the log are in the log.
        for of_store in [
            "store/rotate.rs",
            "store/keys.rs",
            "store/audit/rebind.rs",
            "store/audit/number.rs",
        ] {
            let text = std::fs::read_to_string(folder.join(of_store)).unwrap();
            found.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        assert!(found.len() > 50);
        found
    }

    fn is_name(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    }

    /// Every literal `noun.verb` whose noun some command has: a command of the program, a column
    /// of a statement or a text of a public page.
    fn commands() -> BTreeSet<String> {
        let nouns: BTreeSet<&str> = COMMANDS
            .iter()
            .filter_map(|(name, _)| name.split_once('.'))
            .map(|(noun, _)| noun)
            .collect();
        let mut found = BTreeSet::new();
        for text in all_sources() {
            for (at, _) in text.match_indices('"') {
                let (before, rest) = (&text[..at], &text[at + 1..]);
                let literal = rest.split('"').next().unwrap_or_default();
                let Some((noun, verb)) = literal.split_once('.') else {
                    continue;
                };
                // Texts of public pages and the facts of a form are asked for by key.
                let other = before.ends_with("text(") || before.ends_with(".t(");
                let named = before.ends_with("command: ")
                    || before.ends_with("Command::new( ")
                    || before.ends_with("Command::new(");
                if is_name(noun) && is_name(verb) && (named || (nouns.contains(noun) && !other)) {
                    found.insert(literal.to_owned());
                }
            }
        }
        found
    }

    /// Literals that look like commands and are none: facts a form is filled from, texts of the
    /// public pages.
    const NONE: &[&str] = &[
        "attachment.key",
        // Writes no event.
        "log.sequence",
        // A column.
        "message.read_at",
        // Notes the time, and is no event.
        "clock.note",
        // A kind of the outbox.
        "message.send",
        "objection.follow",
        "objection.organisation",
        "objection.person",
        "objection.received",
        "objection.title",
        "notice.all",
        "notice.days_left",
        "notice.ended",
        "notice.final",
        "notice.held",
        "notice.last_day",
        "notice.open",
        "notice.over",
        "notice.removed",
        "notice.title",
        "party.credit_code",
        "party.kind",
        "party.legal_representative",
        "party.name",
        "party.region",
        "personal.decide_erasure",
    ];

    #[test]
    fn every_command_has_a_word() {
        let mut found = commands();
        found.retain(|name| !NONE.contains(&name.as_str()));
        assert!(found.contains("case.complete_task") && found.contains("session.refuse"));
        let without: Vec<&String> = found
            .iter()
            .filter(|name| command(name) == **name)
            .collect();
        assert_eq!(
            without,
            Vec::<&String>::new(),
            "give them a word in log/words.rs"
        );
        let unused: Vec<&str> = COMMANDS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !found.contains(*name))
            .collect();
        assert_eq!(unused, Vec::<&str>::new(), "nothing writes them any more");
    }

    #[test]
    fn every_table_an_event_is_about_has_a_word() {
        let mut found = BTreeSet::new();
        for text in all_sources() {
            for rest in text.split("subject").skip(1) {
                let head: String = rest.chars().take(40).collect();
                let name = head
                    .split_once("(\"")
                    .and_then(|(_, rest)| rest.split_once('"'));
                found.extend(name.map(|(name, _)| name.to_owned()).filter(|n| is_name(n)));
            }
        }
        assert!(
            found.contains("casework") && found.contains("batch"),
            "{found:?}"
        );
        let without: Vec<&String> = found.iter().filter(|name| table(name) == **name).collect();
        assert_eq!(
            without,
            Vec::<&String>::new(),
            "give them a word in log/words.rs"
        );
    }
}
