import { Button } from "../components/button";
import { Copyable } from "../components/copyable";
import { Notice } from "../components/notice";
import { t } from "../texts/texts";

/** Recovery codes, which the server shows once. */
export function RecoveryCodes({ codes, done }: { codes: readonly string[]; done: () => void }) {
  return (
    <div class="form" role="status">
      <Notice kind="warning">{t("recovery.once")}</Notice>
      <Copyable text={codes.join("\n")} label={t("recovery.title")}>
        <ul class="recovery">
          {codes.map((code) => (
            <li key={code}>
              <code>{code}</code>
            </li>
          ))}
        </ul>
      </Copyable>
      <div class="buttons">
        <Button look="primary" onClick={done}>
          {t("recovery.done")}
        </Button>
      </div>
    </div>
  );
}
