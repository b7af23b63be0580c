/** Line icons of 24 units, drawn for this page. They are decoration: the button beside them has the name. */

const PATHS = {
  alert: "M12 8v5M12 16.500v.01M12 3.5 21.5 20h-19z",
  archive: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  back: "M19 12H5M11 6l-6 6 6 6",
  bell: "M6 10a6 6 0 0 1 12 0c0 5 2 6 2 7H4c0-1 2-2 2-7M10 20a2 2 0 0 0 4 0",
  bell_off: "M4 4l16 16M8.5 5.200A6 6 0 0 1 18 10c0 2 .4 3.5.9 4.600M6.2 8.500C6 9 6 9.5 6 10c0 5-2 6-2 7h13M10 20a2 2 0 0 0 4 0",
  check: "M4.5 12.500l5 5 10-11",
  checks: "M2.5 12.500l4.5 5L15 7M12 16l1.5 1.500L21.5 7",
  chevron_down: "M6 9l6 6 6-6",
  chevron_right: "M9 6l6 6-6 6",
  clock: "M12 7v5l3.5 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  close: "M6 6l12 12M18 6 6 18",
  compass: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M15.5 8.500l-2 5-5 2 2-5z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  devices: "M3 5h13v9H3zM2 18h9M14 10h7v10h-7M17 17h1",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20h4L19.5 8.500l-4-4L4 16zM13 7l4 4",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  eye_off: "M4 4l16 16M9.5 5.900C10.3 5.6 11.1 5.5 12 5.500c6 0 9.5 6.5 9.5 6.500s-.9 1.7-2.6 3.400M6.5 7.400C4 9.1 2.5 12 2.5 12S6 18.5 12 18.500c1.7 0 3.2-.5 4.5-1.200M10 10a3 3 0 0 0 4 4",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c3 3 3.5 6 3.5 9s-.5 6-3.5 9c-3-3-3.5-6-3.5-9s.5-6 3.5-9",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9v.01",
  info: "M12 11v5.500M12 7.500v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  key: "M14 10a4 4 0 1 1-1.2-2.800L21 7v3h-2v2h-2l-3 0M9.5 10v.01",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  log_out: "M10 4H5v16h5M9 12h11M16 8l4 4-4 4",
  mail: "M3.5 6h17v12h-17zM3.5 7l8.5 6.500L20.5 7",
  megaphone: "M4 10v4h3l8 4V6l-8 4zM18 9.500a3.5 3.5 0 0 1 0 5M8 14v5h3",
  menu: "M4 7h16M4 12h16M4 17h16",
  message: "M4 5h16v11h-8l-5 4v-4H4z",
  mic: "M12 3.500a2.5 2.5 0 0 0-2.5 2.500v5a2.5 2.5 0 0 0 5 0V6A2.5 2.5 0 0 0 12 3.500M6 11a6 6 0 0 0 12 0M12 17v3.5",
  monitor: "M3.5 5h17v11h-17zM9 20h6M12 16v4",
  moon: "M19.5 14.500A8 8 0 0 1 9.5 4.500a8 8 0 1 0 10 10",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  plus: "M12 5v14M5 12h14",
  reply: "M10 6l-6 6 6 6M4 12h9a7 7 0 0 1 7 7",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.2-5.300L20 9M20 4v5h-5",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20.5 20.5",
  send: "M4 12 20.5 4.5 16 20l-4.5-6zM11.5 14l9-9.5",
  settings: "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h7M15 17h5M13 15v4",
  shield: "M12 3l7.5 3v5c0 5-3 8.5-7.5 10-4.5-1.5-7.5-5-7.5-10V6z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.500v2M12 19.500v2M2.5 12h2M19.5 12h2M5.3 5.300l1.4 1.400M17.3 17.300l1.4 1.400M5.3 18.700l1.4-1.400M17.3 6.700l1.4-1.4",
  trash: "M4.5 7h15M9 7V4.500h6V7M6.5 7l1 13h9l1-13M10 11v5.500M14 11v5.5",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4.5 20.500c.5-4 3.5-6 7.5-6s7 2 7.5 6",
  users: "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M2.5 19.500c.5-3.5 3-5.5 6.5-5.500s6 2 6.5 5.500M15.5 5.200a3.5 3.5 0 0 1 0 6.600M17.5 14.400c2.2.7 3.6 2.4 4 5.1",
  user_plus: "M10 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M2.5 20.500c.5-4 3.5-6 7.5-6 1.4 0 2.7.3 3.8.8M18 14v6M15 17h6",
  video: "M3.5 6.500h11v11h-11zM14.5 10.500l6-3v9l-6-3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  const dotted = name === "more";
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={dotted ? 3 : 1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
