# One image for API, workers and migrations: docker-compose.yml says which command each runs.
FROM node:24-slim

ENV NODE_ENV=production
# Memory is given back after a crowd of large bodies (mallopt(3)).
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=4194304
WORKDIR /app

# The optional packages are a Node.js for machines without one and native speed-ups that have a fallback.
COPY package.json package-lock.json .npmrc ./
# The project's own packages, which are linked into node_modules.
COPY packages packages
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

COPY lib lib
COPY migrations migrations
COPY api api
COPY workers workers
COPY scripts scripts
COPY knexfile.ts ./

USER node
EXPOSE 8000
CMD ["node", "api/server.ts"]
