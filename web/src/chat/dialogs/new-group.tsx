import type { ConversationDetail, Person } from "@chat/client";
import { useState } from "preact/hooks";
import { Choice } from "../../components/choice";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Form } from "../../components/form";
import { IconButton } from "../../components/button";
import { attempt } from "../../components/toasts";
import { go } from "../../router";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { nameOf } from "../words";
import { PeopleSearch } from "./people-search";

export function NewGroup({ live, onClose }: { live: Live; onClose: () => void }) {
  const [privacy, setPrivacy] = useState<"private" | "public">("private");
  const [people, setPeople] = useState<readonly Person[]>([]);
  const create = async ({ name = "" }: Record<string, string>) => {
    const body = { name, is_private: privacy === "private" };
    const made = await live.chat.request<ConversationDetail>("POST", "/conversations/", { body });
    // The group exists now: a user who cannot be added is named, and does not undo it.
    for (const person of people) {
      await attempt(() => live.chat.request("POST", `/conversations/${made.id}/add_member/`, { body: { user: person.id } }));
    }
    go("c", made.id);
    onClose();
  };
  return (
    <Dialog title={t("chat.new_group")} onClose={onClose}>
      <Form submit={t("chat.create")} action={create}>
        <Field name="name" label={t("chat.group_name")} required maxLength={100} autoComplete="off" />
        <Choice
          legend={t("chat.who_may_join")}
          name="privacy"
          value={privacy}
          options={[
            { value: "private", label: t("chat.private") },
            { value: "public", label: t("chat.public") },
          ]}
          onChange={setPrivacy}
        />
        <p class="muted small">{privacy === "private" ? t("chat.private_hint") : t("chat.public_hint")}</p>
        <PeopleSearch
          chat={live.chat}
          label={t("chat.add_people")}
          without={[live.me, ...people.map((one) => one.id)]}
          onChosen={(person) => setPeople([...people, person])}
        />
        {people.length > 0 && (
          <ul class="chips" aria-label={t("chat.chosen_people")}>
            {people.map((person) => (
              <li key={person.id}>
                <bdi>{nameOf(person)}</bdi>
                <IconButton icon="close" label={t("chat.remove_person", { name: nameOf(person) })} onClick={() => setPeople(people.filter((one) => one !== person))} />
              </li>
            ))}
          </ul>
        )}
      </Form>
    </Dialog>
  );
}
