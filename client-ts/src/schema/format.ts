// Formats that are surely not met. A device must not refuse what the gateway
// would take, so these say no only where there is no doubt.

const time = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

const isDate = (s: string): boolean => {
  const parsed = new Date(`${s}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(s) && !Number.isNaN(parsed.valueOf()) && parsed.toISOString().startsWith(s);
};

/** Whether a string may be of the format; undefined for a format that is left to the gateway. */
export const formats: { readonly [format: string]: ((s: string) => boolean) | undefined } = {
  date: isDate,
  time: (s) => time.test(s),
  "date-time": (s) => /^t$/i.test(s.charAt(10)) && isDate(s.slice(0, 10)) && time.test(s.slice(11)),
  email: (s) => /^("[^"\\]*"|[\w.!#$%&'*+/=?^`{|}~-]+)@(\[.+\]|[\w-]+(\.[\w-]+)*\.?)$/.test(s),
  uuid: (s) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(s),
  uri: (s) => /^[a-z][a-z\d+.-]*:/i.test(s),
};
