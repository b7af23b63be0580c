type ChoiceProps<T extends string> = {
  legend: string;
  name: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
};

/** A few options of which one is chosen. */
export function Choice<T extends string>({ legend, name, value, options, onChange }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input type="radio" name={name} value={option.value} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}

type CheckboxProps = { name: string; label: string; checked?: boolean; onChange?: (checked: boolean) => void };

export function Checkbox({ name, label, checked, onChange }: CheckboxProps) {
  return (
    <label class="checkbox">
      <input type="checkbox" name={name} value="true" checked={checked} onChange={(event) => onChange?.(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
