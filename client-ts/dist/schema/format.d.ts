/** Whether a string may be of the format; undefined for a format that is left to the gateway. */
export declare const formats: {
    readonly [format: string]: ((s: string) => boolean) | undefined;
};
