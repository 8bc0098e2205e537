/** Names the job that a request is, on every answer once there is one. */
export const jobHeader = 'x-goals-job'
