const paths = {
  undo: "M7 5 3 9l4 4M3 9h9a5 5 0 0 1 0 10H8",
  redo: "m13 5 4 4-4 4m4-4H8a5 5 0 0 0 0 10h4",
  inbox: "M3 11h4l1.5 3h3L13 11h4M3 11v5h14v-5l-2.5-7h-9z",
  plus: "M10 4v12M4 10h12",
  up: "m5 12 5-5 5 5",
  grip: "M7 5h.01M13 5h.01M7 10h.01M13 10h.01M7 15h.01M13 15h.01",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  close: "m5 5 10 10M15 5 5 15",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14M10 6v4l2.500 2",
  pulse: "M2 10h4l2-5 4 10 2-5h4",
  sun: "M10 13.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M15.700 4.300l-1.100 1.100M5.400 14.600l-1.100 1.100",
  moon: "M16 12.500A6.500 6.500 0 0 1 7.500 4a6.500 6.500 0 1 0 8.500 8.500",
  trash: "M4 6h12M8 6V4h4v2m-6.500 0 .700 10h7.600l.700-10",
  history: "M4 10a6 6 0 1 1 2 4.500M4 10 2.500 8M4 10l2-1.500M10 7v3.500l2.500 1.500",
  alert: "M10 3 2.500 16.500h15zM10 8v4M10 14.300h.01",
} as const;

export type IconName = keyof typeof paths;

/** A picture beside a text that says the same, or in a button that has a label. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
