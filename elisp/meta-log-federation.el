;;; meta-log-federation.el --- Announce, discover, and the blackboard  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; The federation from Lisp: start it, announce this peer, see who is
;; there, and keep the blackboard, an Org file that lists the peers and the
;; canvases.  People may write anything into that file: only the property
;; drawers of its entries are kept by the program.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)
(require 'meta-log-mqtt)
(require 'meta-log-identity)

(defcustom meta-log-federation-blackboard-file nil
  "The Org file of the federation, or nil.
Nil stands for META_LOG_FEDERATION_BLACKBOARD in the environment, and
without it for `federation-blackboard.org' in the state directory."
  :type '(choice (const :tag "Default" nil) file)
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar meta-log-federation--peers meta-log-peer-sync-core-peers
  "Hash table of the known peers: peer id -> `meta-log-peer-sync-peer'.
Its slots are read with `meta-log-peer-sync-peer-public-key', `-name',
`-address', `-online', `-connected', `-trust', `-last-seen' and `-held'.")

(defvar meta-log-federation--mqtt-connection meta-log-mqtt--main
  "The peer's own connection, for `meta-log-mqtt-connection-broker-url'.")

(defun meta-log-federation-blackboard ()
  "Return the absolute name of the blackboard file."
  (let ((environment (getenv "META_LOG_FEDERATION_BLACKBOARD")))
    (expand-file-name
     (cond (meta-log-federation-blackboard-file)
           ((and environment (not (string-empty-p environment))) environment)
           (t "federation-blackboard.org"))
     (meta-log-peer-sync-core-state-directory))))

;;;###autoload
(defun meta-log-federation-init (&optional blackboard-file broker-url)
  "Start the federation; return t at once.
BLACKBOARD-FILE is the Org file to keep, BROKER-URL the broker to use; nil
for what the options and the environment say.  A sidecar that runs with
another broker is restarted."
  (interactive)
  (when blackboard-file
    (setq meta-log-federation-blackboard-file
          (meta-log-peer-sync-core-file-name blackboard-file)))
  (meta-log-peer-sync-core-start :broker-url broker-url)
  (meta-log-peer-sync-guard-exempt (meta-log-federation-blackboard))
  (meta-log-peer-sync-core-request "peers.announce" nil #'ignore #'ignore)
  t)

(defun meta-log-federation--own-p (id key)
  "Signal a `user-error' when ID or KEY is known not to be this peer's."
  (let ((own meta-log-peer-sync-core-identity))
    (when (and own (or (and id (not (equal id (plist-get own :peer_id))))
                       (and key (not (equal key (plist-get own :public_key))))))
      (user-error "Only this peer's own identity can be announced, %s"
                  (plist-get own :peer_id)))))

;;;###autoload
(defun meta-log-federation-announce-peer (&optional identity-or-peer-id public-key)
  "Announce this peer now; return t at once.
IDENTITY-OR-PEER-ID and PUBLIC-KEY are not needed: what is announced is
the sidecar's own identity.  When they are given they have to be its."
  (interactive)
  (let ((id (if (meta-log-identity-p identity-or-peer-id)
                (meta-log-identity-peer-id identity-or-peer-id)
              (and identity-or-peer-id
                   (meta-log-peer-sync-core-check-peer-id identity-or-peer-id)))))
    (meta-log-federation--own-p id public-key)
    (meta-log-peer-sync-core-request
     "peers.announce" nil
     (lambda (answer)
       (meta-log-federation--own-p id public-key)
       (message "%s" (if (eq (plist-get answer :announced) t)
                         "This peer is announced"
                       "This peer is announced as soon as the broker answers"))))
    t))

(declare-function meta-log-peer-sync-demo--peers "meta-log-peer-sync-demo")

;;;###autoload
(defun meta-log-federation-discover-peers ()
  "Show the peers that are known and return the list of their ids.
It answers at once from what is known, and asks for news meanwhile."
  (interactive)
  (require 'meta-log-peer-sync-demo)
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-peer-sync-core-refresh-peers)
  (meta-log-peer-sync-demo--peers))

(declare-function meta-log-webrtc-connect-peer "meta-log-webrtc")

;;;###autoload
(defun meta-log-federation-connect-to-peer (peer-id)
  "Connect to the peer PEER-ID; return t at once, a message follows."
  (interactive (list (meta-log-peer-sync-core-read-peer "Connect to peer: ")))
  (require 'meta-log-webrtc)
  (meta-log-webrtc-connect-peer peer-id)
  t)

;;;; The blackboard

(defconst meta-log-federation--forms
  '(("PEER_ID" . "peer-[a-z2-7]\\{52\\}")
    ("PEER_OWNER" . "peer-[a-z2-7]\\{52\\}")
    ("PEER_PUBLIC_KEY" . "0x[0-9a-f]\\{64\\}")
    ("PEER_ADDRESS" . "\\(?:mqtt\\|ws\\)s?://[][A-Za-z0-9.:_/-]\\{1,200\\}")
    ("PEER_STATUS" . "connected\\|discovered\\|offline\\|self")
    ("LAST_SEEN" . "[0-9T:.-]\\{19,29\\}Z")
    ("LAST_MODIFIED" . "[0-9T:.-]\\{19,29\\}Z")
    ("CANVASL_CID" . "[0-9a-z]\\{8,80\\}")
    ("CANVASL_SIGNATURE" . "0x[0-9a-f]\\{128\\}")
    ;; A document name; no character that Org or Emacs acts on.
    ("NODE_ID" . "[[:alnum:]_][[:alnum:] ._/()+,@=-]\\{0,1023\\}"))
  "Properties of entries, and the form that a value must have to be taken.
What other people wrote reaches the file in these forms only, so nothing
in it is a link, a keyword, a macro or a variable.")

(defun meta-log-federation--valid (properties)
  "Return those of PROPERTIES, an alist of strings, that have their form."
  (cl-loop for (name . value) in properties
           for form = (cdr (assoc name meta-log-federation--forms))
           when (and form (stringp value)
                     (let ((case-fold-search nil))
                       (string-match-p (concat "\\`\\(?:" form "\\)\\'") value)))
           collect (cons name value)))

(defun meta-log-federation--properties (end)
  "Return the properties in the lines from point to END, as an alist."
  (let (properties)
    (while (< (point) end)
      ;; No value is that long, and a longer line could take a regexp for ever.
      (when (and (< (- (line-end-position) (point)) 2000)
                 (looking-at "[ \t]*:\\([A-Z_]+\\):[ \t]*\\(.*\\)$"))
        (push (cons (match-string-no-properties 1)
                    (string-trim-right (match-string-no-properties 2)))
              properties))
      (forward-line 1))
    (nreverse properties)))

(defun meta-log-federation--entries ()
  "Return the entries of the blackboard in the current buffer.
Each is (KEY-NAME KEY PROPERTIES BEGIN END); the drawer's lines are between
BEGIN and END."
  (let ((case-fold-search nil) entries)
    (save-excursion
      (goto-char (point-min))
      (while (re-search-forward "^\\*\\*\\* .*\n[ \t]*:PROPERTIES:[ \t]*\n" nil t)
        (let* ((begin (point))
               (next (save-excursion (if (re-search-forward "^\\*" nil t) (point) (point-max))))
               (end (and (re-search-forward "^[ \t]*:END:[ \t]*$" next t)
                         (match-beginning 0))))
          (goto-char begin)
          (when end
            (let* ((properties (meta-log-federation--properties end))
                   (key (or (assoc "PEER_ID" properties) (assoc "NODE_ID" properties))))
              (when key
                (push (list (car key) (cdr key) properties begin end) entries)))))))
    (nreverse entries)))

(defun meta-log-federation--index ()
  "Return the entries of the current buffer as a hash table, for `--put'.
The key is (KEY-NAME . KEY), a value (PROPERTIES BEGIN END), with markers;
new entries, which have no place yet, are (PROPERTIES)."
  (let ((index (make-hash-table :test #'equal)))
    (pcase-dolist (`(,name ,key ,properties ,begin ,end) (meta-log-federation--entries))
      (unless (gethash (cons name key) index)
        (puthash (cons name key)
                 (list properties (copy-marker begin) (copy-marker end t)) index)))
    index))

(defun meta-log-federation--put (index properties)
  "Write PROPERTIES, an alist, into the entry of INDEX of the same key.
Only the lines of these properties change.  An entry that is missing is
noted as a new one, for `meta-log-federation--insert-new'."
  (pcase-let* ((properties (meta-log-federation--valid properties))
               (`(,key-name . ,key) (car properties))
               (entry (gethash (cons key-name key) index)))
    (cond
     ((not (member key-name '("PEER_ID" "NODE_ID"))))
     ((nth 1 entry)
      (pcase-dolist (`(,name . ,value) properties)
        (goto-char (nth 1 entry))
        (if (re-search-forward (format "^\\([ \t]*:%s:\\)[ \t]*\\(.*\\)$" name) (nth 2 entry) t)
            (unless (equal (string-trim-right (match-string 2)) value)
              (replace-match (concat (match-string 1) " " value) t t))
          (goto-char (nth 2 entry))
          (insert (format ":%s: %s\n" name value)))))
     (entry
      (pcase-dolist (`(,name . ,value) properties)
        (setf (alist-get name (car entry) nil nil #'equal) value)))
     (t
      (puthash (cons key-name key) (list properties) index)))))

(defun meta-log-federation--insert-new (index)
  "Write the new entries of INDEX into their sections."
  (pcase-dolist (`(,key-name ,section ,word)
                 '(("PEER_ID" "Peers" "Peer") ("NODE_ID" "CanvasL State" "Node")))
    (let (texts)
      (maphash (lambda (key entry)
                 (unless (or (nth 1 entry) (not (equal (car key) key-name)))
                   (push (format "*** %s: %s\n:PROPERTIES:\n%s:END:\n\n" word (cdr key)
                                 (mapconcat (lambda (pair) (format ":%s: %s\n" (car pair)
                                                                   (cdr pair)))
                                            (car entry) ""))
                         texts)))
               index)
      (when texts
        (meta-log-federation--section section)
        (insert (apply #'concat (nreverse texts)))))))

(defun meta-log-federation--section (title)
  "Go to the end of the section TITLE, which is made when it is missing."
  (goto-char (point-min))
  (if (re-search-forward (format "^\\*\\* %s[ \t]*$" (regexp-quote title)) nil t)
      (progn
        (if (re-search-forward "^\\*\\{1,2\\} " nil t)
            (goto-char (match-beginning 0))
          (goto-char (point-max)))
        (unless (bolp) (insert "\n")))
    (goto-char (point-max))
    (unless (bolp) (insert "\n"))
    (insert (format "** %s\n\n" title))))

(defun meta-log-federation--head ()
  "Write the beginning of a blackboard into an empty buffer."
  (when (= (buffer-size) 0)
    (insert "* Federation Blackboard\n:PROPERTIES:\n:FEDERATION_VERSION: 1.0\n"
            (format ":BLACKBOARD_ID: blackboard-%s\n"
                    (substring (or (plist-get meta-log-peer-sync-core-identity :peer_id)
                                   "peer-new-peer")
                               5 13))
            ":LAST_SYNC: \n:END:\n\n** Peers\n\n** CanvasL State\n\n")))

(defun meta-log-federation--merge (index text)
  "Take into INDEX what TEXT, another blackboard, has newer or more.
An entry is newer by its LAST_SEEN or LAST_MODIFIED."
  (let ((theirs (with-temp-buffer (insert text) (meta-log-federation--entries)))
        (time (lambda (properties) (or (cdr (assoc "LAST_SEEN" properties))
                                       (cdr (assoc "LAST_MODIFIED" properties))
                                       ""))))
    (dolist (entry theirs)
      (let ((own (gethash (cons (car entry) (nth 1 entry)) index)))
        (when (or (not own) (string< (funcall time (car own)) (funcall time (nth 2 entry))))
          (meta-log-federation--put
           index
           (cons (cons (car entry) (nth 1 entry))
                 (cl-remove (car entry) (nth 2 entry) :key #'car :test #'equal))))))))

(defun meta-log-federation--now ()
  "Return the time as the blackboard writes it."
  (format-time-string "%Y-%m-%dT%H:%M:%SZ" nil t))

(defun meta-log-federation--write-known (index documents blackboard)
  "Write the known peers and DOCUMENTS into INDEX, the entries of a buffer.
DOCUMENTS is what `documents.list' answered; BLACKBOARD, the name of this
file as a document, is left out."
  (let ((own meta-log-peer-sync-core-identity))
    (when own
      (meta-log-federation--put
       index
       `(("PEER_ID" . ,(plist-get own :peer_id))
         ("PEER_PUBLIC_KEY" . ,(plist-get own :public_key))
         ("PEER_ADDRESS" . ,(meta-log-peer-sync-core-broker-url))
         ("PEER_STATUS" . "self")))))
  (maphash
   (lambda (id peer)
     (meta-log-federation--put
      index
      `(("PEER_ID" . ,id)
        ("PEER_PUBLIC_KEY" . ,(meta-log-peer-sync-peer-public-key peer))
        ("PEER_ADDRESS" . ,(meta-log-peer-sync-peer-address peer))
        ("PEER_STATUS" . ,(cond ((meta-log-peer-sync-peer-connected peer) "connected")
                                ((meta-log-peer-sync-peer-online peer) "discovered")
                                (t "offline")))
        ("LAST_SEEN" . ,(meta-log-peer-sync-peer-last-seen peer)))))
   meta-log-peer-sync-core-peers)
  (mapc (lambda (document)
          (unless (equal (plist-get document :file) blackboard)
            (meta-log-federation--put
             index
             `(("NODE_ID" . ,(plist-get document :file))
               ("CANVASL_CID" . ,(plist-get document :revision))
               ("PEER_OWNER" . ,(plist-get document :peer_id))
               ("LAST_MODIFIED" . ,(plist-get document :time))))))
        documents))

(defun meta-log-federation--update (documents)
  "Bring the blackboard file up to date with DOCUMENTS; return its name."
  (let* ((file (meta-log-federation-blackboard))
         (name (file-name-nondirectory file))
         (visiting (find-buffer-visiting file))
         (shared (plist-get (cl-find name documents :test #'equal
                                     :key (lambda (entry) (plist-get entry :file)))
                            :path)))
    (when (and visiting (buffer-modified-p visiting))
      (user-error "The blackboard has unsaved changes; save it first: %s" file))
    (with-temp-buffer
      (when (file-exists-p file)
        (insert (meta-log-peer-sync-guard-text file 'utf-8-unix)))
      (let ((before (buffer-string)) (coding-system-for-write 'utf-8-unix))
        (meta-log-federation--head)
        (let ((index (meta-log-federation--index)))
          (when (and (stringp shared) (file-regular-p shared))
            (meta-log-federation--merge
             index (meta-log-peer-sync-guard-text shared 'utf-8-unix (* 1024 1024))))
          (meta-log-federation--write-known index documents name)
          (meta-log-federation--insert-new index))
        (unless (equal before (buffer-string))
          (goto-char (point-min))
          (when (re-search-forward "^:LAST_SYNC:.*$" nil t)
            (replace-match (concat ":LAST_SYNC: " (meta-log-federation--now)) t t))
          (meta-log-federation--save file))))
    (when visiting
      (with-current-buffer visiting
        (unless (verify-visited-file-modtime)
          (meta-log-peer-sync-guard-replace file))))
    file))

(defun meta-log-federation--save (file)
  "Write the current buffer to FILE, so that it is the old or the new one."
  (make-directory (file-name-directory file) t)
  (let ((new (make-temp-file (expand-file-name ".blackboard" (file-name-directory file)))))
    (condition-case problem
        (let ((write-region-inhibit-fsync nil))
          (write-region nil nil new nil 'silent)
          (rename-file new file t))
      (error (ignore-errors (delete-file new))
             (signal (car problem) (cdr problem))))))

;;;###autoload
(defun meta-log-federation-sync-blackboard (&optional peer-id)
  "Bring the blackboard up to date and sync it; return its file name at once.
Its entries for peers and canvases are made or updated from what is known,
newer entries of a synced version are taken over, and everything else in
the file stays as it is.  With PEER-ID, compare all documents with that
peer afterwards."
  (interactive)
  (when peer-id (meta-log-peer-sync-core-check-peer-id peer-id))
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-peer-sync-guard-exempt (meta-log-federation-blackboard))
  (meta-log-peer-sync-core-refresh-peers
   (lambda ()
     (meta-log-peer-sync-core-request
      "documents.list" nil
      (lambda (answer)
        (let ((file (meta-log-federation--update (append (plist-get answer :documents) nil))))
          (meta-log-peer-sync-core-sync-file file)
          (when peer-id
            (meta-log-peer-sync-core-request "sync.all" (list :peer_id peer-id))))))))
  (meta-log-federation-blackboard))

(provide 'meta-log-federation)
;;; meta-log-federation.el ends here
