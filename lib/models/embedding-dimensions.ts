/** The width of the `embedding` column: a model of other dimensions needs its migration first. */
export const embeddingDimensions = 1536
