import type { Chat, Conversation } from "@chat/client";
import { useEffect, useState } from "preact/hooks";
import { Choice } from "../../components/choice";
import { Field } from "../../components/field";
import { Form } from "../../components/form";
import { toast } from "../../components/toasts";
import { t } from "../../texts/texts";

/** Name and privacy of a group, for its admins. */
export function GroupSettings({ chat, row }: { chat: Chat; row: Conversation }) {
  const [name, setName] = useState(row.name);
  const [privacy, setPrivacy] = useState<"private" | "public">(row.is_private ? "private" : "public");

  // Another admin may have changed it meanwhile.
  useEffect(() => {
    setName(row.name);
    setPrivacy(row.is_private ? "private" : "public");
  }, [row.id, row.name, row.is_private]);

  const save = async () => {
    const changes = {
      ...(name.trim() === row.name ? {} : { name: name.trim() }),
      ...((privacy === "private") === row.is_private ? {} : { is_private: privacy === "private" }),
    };
    if (Object.keys(changes).length) await chat.request("PATCH", `/conversations/${row.id}/`, { body: changes });
    toast(t("saved"));
  };
  return (
    <section class="details-part">
      <Form submit={t("save")} look="secondary" action={save} label={t("chat.group_settings")}>
        <Field name="name" label={t("chat.group_name")} required maxLength={100} value={name} autoComplete="off" onInput={(event) => setName(event.currentTarget.value)} />
        <Choice
          legend={t("chat.who_may_join")}
          name="is_private"
          value={privacy}
          options={[
            { value: "private", label: t("chat.private") },
            { value: "public", label: t("chat.public") },
          ]}
          onChange={setPrivacy}
        />
      </Form>
    </section>
  );
}
